import type { TrustDocument } from "@oars/contract";
import { path } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createTrust = (transport: Transport) => ({
  /** Every key that ever signed for a tenant. Needs no credential. */
  keys: (tenantId: string, options?: CallOptions): Promise<TrustDocument> =>
    transport.json({ method: "GET", path: path`/v1/trust/tenants/${tenantId}/keys`, options }),
  /** The newest signed checkpoint of the tenant's log. */
  checkpoint: (options?: CallOptions): Promise<string> =>
    transport.text({ method: "GET", path: "/v1/log/checkpoint", accept: "text/plain", options }),
});
