import type { Webhook } from "@oars/contract";
import { type Listing, wholeListing } from "./listing.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createWebhooks = (transport: Transport) => ({
  /** The webhooks of the published flows. */
  list: (options?: CallOptions): Listing<Webhook> =>
    wholeListing(() => transport.json({ method: "GET", path: "/v1/webhooks", options })),
});
