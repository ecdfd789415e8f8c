import type { Health } from "@oars/contract";
import type { CallOptions, Transport } from "./transport.ts";

export const createHealth = (transport: Transport) => ({
  /** Whether the process answers. */
  live: (options?: CallOptions): Promise<{ live: true }> =>
    transport.json({ method: "GET", path: "/health/live", options }),
  /** Whether the server can do its work; resolves, with `ready` false, when it cannot. */
  ready: (options?: CallOptions): Promise<Health> =>
    transport.json({ method: "GET", path: "/health/ready", accepted: [503], options }),
});
