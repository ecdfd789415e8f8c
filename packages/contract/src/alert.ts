import { z } from "zod";
import { alertId, principalId, securityEventId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { instant, jsonObject, resourceName } from "./scalar.ts";
import { severity } from "./security-event.ts";

export const alertSeverity = z.enum(["low", "medium", "high", "critical"]);
export const alertState = z.enum(["open", "acknowledged", "resolved"]);

/** `from` is included, `to` is not; both are of the last occurrence. */
export const alertFilter = pageQuery.extend({
  state: alertState.optional(),
  severity: alertSeverity.optional(),
  code: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,120}$/)
    .optional(),
  from: instant.optional(),
  to: instant.optional(),
});

const fields = {
  id: alertId,
  code: z.string().meta({ examples: ["POLICY_DENIED"] }),
  key: z
    .string()
    .meta({ description: "What happens again under this key counts the alert up until it is resolved." }),
  severity: alertSeverity,
  message: z.string(),
  state: alertState,
  count: z.int(),
  eventId: securityEventId.meta({ description: "The event that raised it." }),
  target: z.object({ kind: z.string(), id: z.string() }).nullable(),
  details: jsonObject,
  level: z.int().meta({ description: "How often it was passed on because nobody answered." }),
  notified: z.array(z.string()).meta({ description: "Channels that were told." }),
  escalateAt: instant.nullable().meta({ description: "When it is passed on unless somebody answers." }),
  openedAt: instant,
  lastAt: instant,
  acknowledgedAt: instant.nullable(),
  acknowledgedBy: principalId.nullable(),
  resolvedAt: instant.nullable(),
  resolvedBy: principalId.nullable(),
};

/** Something that people should look at. */
export const alert = z.object(fields).meta({ id: "Alert" });

/** The alert with what happened to it: who was told, whether it reached them, who answered. */
export const alertDetail = z
  .object({
    ...fields,
    history: z.array(
      z.object({
        kind: z.enum([
          "opened",
          "repeated",
          "notified",
          "delivered",
          "delivery_failed",
          "given_up",
          "escalated",
          "acknowledged",
          "resolved",
        ]),
        channel: z.string().nullable(),
        principalId: principalId.nullable(),
        note: z.string().nullable(),
        at: instant,
      }),
    ),
  })
  .meta({ id: "AlertDetail" });

export const answerAlertRequest = z
  .strictObject({ note: z.string().trim().min(1).max(2_000).optional() })
  .meta({ id: "AnswerAlertRequest" });

const channels = z.array(resourceName).min(1).max(50);

export const alertRoute = z
  .object({
    severity: alertSeverity,
    channels: z.array(z.string()),
    atOnce: z.int(),
    escalationMinutes: z.int(),
    stored: z.boolean().meta({ description: "False: nobody has set it, this is the default." }),
  })
  .meta({ id: "AlertRoute" });
export const alertRouteList = z.object({ items: z.array(alertRoute) });

export const setAlertRouteRequest = z
  .strictObject({
    severity: alertSeverity,
    channels: channels.meta({
      description:
        "In order: the first `atOnce` are told when an alert opens, one more each time nobody answers.",
    }),
    atOnce: z.int().min(1).max(50).default(1),
    escalationMinutes: z.int().min(1).max(1_440),
  })
  .meta({ id: "SetAlertRouteRequest" });

export const putAlertRuleRequest = z
  .strictObject({
    types: z
      .array(z.string().regex(/^[a-z_]+\.(?:[a-z_]+|\*)$/))
      .min(1)
      .max(100)
      .meta({ description: "Types of security events, exact or as `approval.*`." }),
    minSeverity: severity.default("info"),
    minCount: z.int().min(1).max(1_000_000).default(1),
    severity: alertSeverity.nullable().default(null).meta({ description: "The event's when null." }),
    enabled: z.boolean().default(true),
  })
  .meta({ id: "PutAlertRuleRequest" });

/** Which security events raise an alert `RULE_<name>`, besides the built-in rules. */
export const alertRule = z
  .object({
    name: z.string(),
    types: z.array(z.string()),
    minSeverity: severity,
    minCount: z.int(),
    severity: alertSeverity.nullable(),
    enabled: z.boolean(),
  })
  .meta({ id: "AlertRule" });

export const alertRuleList = z.object({
  items: z.array(alertRule),
  builtIn: z.array(z.object({ type: z.string(), code: z.string() })),
});

export type AlertSeverity = z.infer<typeof alertSeverity>;
export type AlertState = z.infer<typeof alertState>;
export type AlertFilter = z.input<typeof alertFilter>;
export type Alert = z.infer<typeof alert>;
export type AlertDetail = z.infer<typeof alertDetail>;
export type AnswerAlertRequest = z.input<typeof answerAlertRequest>;
export type AlertRoute = z.infer<typeof alertRoute>;
export type AlertRouteList = z.infer<typeof alertRouteList>;
export type SetAlertRouteRequest = z.input<typeof setAlertRouteRequest>;
export type AlertRule = z.infer<typeof alertRule>;
export type AlertRuleList = z.infer<typeof alertRuleList>;
export type PutAlertRuleRequest = z.input<typeof putAlertRuleRequest>;
