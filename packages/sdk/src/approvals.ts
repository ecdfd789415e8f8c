import type { Approval, ApprovalState, DecideApprovalRequest, Page } from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface ApprovalFilter {
  readonly state?: ApprovalState | undefined;
}

export const createApprovals = (transport: Transport) => ({
  /** Newest first. */
  list: (query: ListQuery<ApprovalFilter> = {}, options?: CallOptions): Listing<Approval> =>
    toListing(
      (cursor): Promise<Page<Approval>> =>
        transport.json({ method: "GET", path: withQuery("/v1/approvals", { ...query, cursor }), options }),
      query.cursor,
    ),
  get: (id: string, options?: CallOptions): Promise<Approval> =>
    transport.json({ method: "GET", path: path`/v1/approvals/${id}`, options }),
  /** Votes as the owner of the credential. Errors: APPROVAL_CLOSED, APPROVAL_REQUESTER, APPROVAL_ROLE, APPROVAL_VOTED. */
  decide: (id: string, request: DecideApprovalRequest, options?: CallOptions): Promise<Approval> =>
    transport.json({ method: "POST", path: path`/v1/approvals/${id}/decision`, body: request, options }),
});
