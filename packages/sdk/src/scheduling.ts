import type { Scheduling, SetSchedulingRequest } from "@oars/contract";
import type { CallOptions, Transport } from "./transport.ts";

export const createScheduling = (transport: Transport) => ({
  /** How this tenant shares the workers with others. */
  get: (options?: CallOptions): Promise<Scheduling> =>
    transport.json({ method: "GET", path: "/v1/scheduling", options }),
  /** Sets the share of a tenant; needs the role platform_admin. What is absent stays as it is. */
  set: (share: SetSchedulingRequest, options?: CallOptions): Promise<Scheduling> =>
    transport.json({ method: "PUT", path: "/v1/scheduling", body: share, options }),
});
