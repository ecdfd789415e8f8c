import type { AnswerGateRequest, Gate, GateFilter, Page } from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

/** Questions that runs put to people. */
export const createGates = (transport: Transport) => ({
  /** Newest first. */
  list: (query: ListQuery<GateFilter> = {}, options?: CallOptions): Listing<Gate> =>
    toListing(
      (cursor): Promise<Page<Gate>> =>
        transport.json({ method: "GET", path: withQuery("/v1/gates", { ...query, cursor }), options }),
      query.cursor,
    ),
  /** With the output that it is about. */
  get: (id: string, options?: CallOptions): Promise<Gate> =>
    transport.json({ method: "GET", path: path`/v1/gates/${id}`, options }),
  /** Answers as the owner of the credential. Errors: GATE_CLOSED with the first decision, GATE_REQUESTER, GATE_ROLE, GATE_OPTION. */
  answer: (id: string, request: AnswerGateRequest, options?: CallOptions): Promise<Gate> =>
    transport.json({ method: "POST", path: path`/v1/gates/${id}/answer`, body: request, options }),
});
