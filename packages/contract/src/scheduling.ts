import { z } from "zod";
import { tenantId } from "./id.ts";

const weight = z.number().min(0.01).max(1_000);
const maxRunning = z.int().min(1).max(1_000_000);

/**
 * How a tenant shares the workers with others. Where all have more queued than can run, each gets runs in proportion
 * to its `weight`. No more than `maxRunning` of its runs execute at once, in all processes together; null sets no cap.
 * `queued` counts to 10,000 at most.
 */
export const scheduling = z
  .object({
    tenant: tenantId,
    weight,
    maxRunning: maxRunning.nullable(),
    running: z.int(),
    queued: z.int(),
  })
  .meta({ id: "Scheduling" });

export const setSchedulingRequest = z
  .strictObject({
    tenant: tenantId.optional().meta({ description: "Of whom; the caller's own tenant when absent." }),
    weight: weight.optional().meta({ description: "Unchanged when absent; 1 where nothing was set." }),
    maxRunning: maxRunning
      .nullable()
      .optional()
      .meta({ description: "Unchanged when absent; null lifts it." }),
  })
  .meta({ id: "SetSchedulingRequest" });

export type Scheduling = z.infer<typeof scheduling>;
export type SetSchedulingRequest = z.infer<typeof setSchedulingRequest>;
