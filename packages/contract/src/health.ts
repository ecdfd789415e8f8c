import { z } from "zod";

export const healthCheck = z
  .object({
    name: z.string(),
    ok: z.boolean(),
    detail: z.string().optional(),
    ms: z.number().optional(),
  })
  .meta({ id: "HealthCheck" });

/** `ready` is false, with status 503, while the server cannot do its work. */
export const health = z
  .object({ ready: z.boolean(), version: z.string(), checks: z.array(healthCheck) })
  .meta({ id: "Health" });

export const liveness = z.object({ live: z.literal(true) }).meta({ id: "Liveness" });

export type Health = z.infer<typeof health>;
export type HealthCheck = z.infer<typeof healthCheck>;
