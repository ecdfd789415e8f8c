import { z } from "zod";
import { deadLetterId, targetId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { instant, jsonObject, reason } from "./scalar.ts";
import { severity } from "./security-event.ts";

/** `siem` takes security events, `alerts` is a channel that alerts are routed to. */
export const deliveryPurpose = z.enum(["siem", "alerts"]);
export const deliveryFormat = z.enum(["native", "ocsf", "cef", "cloudevents"]);

const types = z
  .array(z.string().regex(/^[a-z_]+\.(?:[a-z_]+|\*)$/))
  .max(200)
  .nullable();

export const putDeliveryTargetRequest = z
  .strictObject({
    purpose: deliveryPurpose,
    config: jsonObject.meta({
      description:
        "`kind` and what it needs. For events: generic_webhook, splunk_hec, datadog_logs, sentinel_log_analytics, syslog, otlp_logs. For alerts: slack_webhook, pagerduty_events_v2, generic_webhook, email.",
    }),
    format: deliveryFormat.optional(),
    minSeverity: severity.optional(),
    types: types
      .optional()
      .meta({ description: "Types of events, exact or as `approval.*`; all when absent." }),
  })
  .meta({ id: "PutDeliveryTargetRequest" });

const fields = {
  id: targetId,
  name: z.string(),
  purpose: deliveryPurpose,
  kind: z.string(),
  format: deliveryFormat,
  config: jsonObject,
  fromEnv: z
    .boolean()
    .meta({ description: "Of the operator's environment: it takes events of all tenants." }),
  minSeverity: severity,
  types,
  state: z.enum(["active", "paused", "retired"]),
  circuit: z.enum(["open", "closed"]).meta({ description: "While open, nothing is sent." }),
  failures: z.int().meta({ description: "In a row." }),
  delivered: z.int(),
  failed: z.int(),
  givenUp: z.int(),
  lastSuccessAt: instant.nullable(),
  lastFailureAt: instant.nullable(),
  lastError: z.string().nullable(),
  createdAt: instant,
  updatedAt: instant,
};

/** Where security events or alerts go. Secrets in `config` show as `[secret]`. */
export const deliveryTarget = z.object(fields).meta({ id: "DeliveryTarget" });
export const deliveryTargetList = z.object({ items: z.array(deliveryTarget) });

export const deliveryStatus = z
  .object({
    targets: z.array(
      z.object({ ...fields, queued: z.int(), oldestAt: instant.nullable(), openDeadLetters: z.int() }),
    ),
    queued: z.int(),
    retry: z.object({ intervalSeconds: z.number(), maxAttempts: z.int() }),
  })
  .meta({ id: "DeliveryStatus" });

export const targetTest = z
  .object({ ok: z.boolean(), message: z.string(), ms: z.int() })
  .meta({ id: "DeliveryTargetTest" });

export const flushed = z.object({ due: z.int() }).meta({ id: "DeliveryFlushed" });

const deadLetterState = z.enum(["open", "replayed", "resolved"]);

export const deadLetterFilter = pageQuery.extend({ state: deadLetterState.optional() });

/** Something that a target did not take. `subject` is the id under which it was and would be sent. */
export const deadLetter = z
  .object({
    id: deadLetterId,
    target: z.string().nullable().meta({ description: "Null when the target is gone." }),
    subject: z.string(),
    payload: jsonObject,
    attempts: z.int(),
    lastError: z.string(),
    state: deadLetterState,
    replayCount: z.int(),
    reason: z.string().nullable(),
    failedAt: instant,
    updatedAt: instant,
  })
  .meta({ id: "DeadLetter" });

export const replayDeadLetterRequest = z
  .strictObject({ deadLetterId })
  .meta({ id: "ReplayDeadLetterRequest" });
export const resolveDeadLetterRequest = z
  .strictObject({ deadLetterId, reason })
  .meta({ id: "ResolveDeadLetterRequest" });

export type PutDeliveryTargetRequest = z.input<typeof putDeliveryTargetRequest>;
export type DeliveryTarget = z.infer<typeof deliveryTarget>;
export type DeliveryStatus = z.infer<typeof deliveryStatus>;
export type DeliveryTargetTest = z.infer<typeof targetTest>;
export type DeadLetter = z.infer<typeof deadLetter>;
export type DeadLetterFilter = z.input<typeof deadLetterFilter>;
export type DeliveryFlushed = z.infer<typeof flushed>;
