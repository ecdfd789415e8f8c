import { z } from "zod";
import { principalId, securityEventId, tenantId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { instant, jsonObject } from "./scalar.ts";

/** From least to most grave. */
export const severity = z.enum(["info", "low", "medium", "high", "critical"]);

/** `from` is included, `to` is not; both are of the last occurrence. */
export const securityEventFilter = pageQuery.extend({
  type: z
    .string()
    .regex(/^[a-z_]+\.[a-z_]+$/)
    .optional(),
  severity: severity.optional(),
  outcome: z.enum(["success", "failure"]).optional(),
  actor: principalId.optional(),
  source: z.string().min(1).max(60).optional(),
  requestId: z.string().min(1).max(200).optional(),
  from: instant.optional(),
  to: instant.optional(),
});

/** Something that the people who guard an installation want to know. `count` occurrences from `firstAt` to `lastAt`. */
export const securityEvent = z
  .object({
    id: securityEventId,
    tenantId,
    type: z.string().meta({ examples: ["authorization.denied"] }),
    severity,
    outcome: z.enum(["success", "failure"]),
    message: z.string(),
    actor: z.object({ id: principalId, kind: z.string(), name: z.string() }).nullable(),
    target: z.object({ kind: z.string(), id: z.string() }).nullable(),
    requestId: z.string().nullable(),
    source: z.string().nullable().meta({ description: "Address that the request came from." }),
    count: z.int(),
    firstAt: instant,
    lastAt: instant,
    details: jsonObject,
  })
  .meta({ id: "SecurityEvent" });

export type Severity = z.infer<typeof severity>;
export type SecurityEvent = z.infer<typeof securityEvent>;
export type SecurityEventFilter = z.input<typeof securityEventFilter>;
