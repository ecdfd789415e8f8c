import type { Page, SecurityEvent, SecurityEventFilter } from "@oars/contract";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createSecurityEvents = (transport: Transport) => ({
  /** Newest first. */
  list: (query: ListQuery<SecurityEventFilter> = {}, options?: CallOptions): Listing<SecurityEvent> =>
    toListing((cursor): Promise<Page<SecurityEvent>> => {
      const target = withQuery("/v1/security-events", { ...query, cursor });
      return transport.json({ method: "GET", path: target, options });
    }, query.cursor),
  get: (id: string, options?: CallOptions): Promise<SecurityEvent> =>
    transport.json({ method: "GET", path: path`/v1/security-events/${id}`, options }),
});
