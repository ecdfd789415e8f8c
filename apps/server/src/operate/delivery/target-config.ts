/**
 * What a target may be, and which parts of that are secret. Hostile input enters here: tenants configure targets, and
 * the server then calls them; addresses are judged by the dialer, and files are the operator's alone.
 */
import { z } from "zod";
import { severities } from "#platform/events";

const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => !/\p{Cc}/u.test(text), "must not hold line breaks or control characters");
const url = z
  .url({ protocol: /^https?$/, error: "must be an http or https URL" })
  .max(2_000)
  .refine((text) => !URL.canParse(text) || new URL(text).username === "", "must hold no credentials");
const secret = line(1_000);
const headers = z.record(z.string().regex(/^[A-Za-z0-9-]{1,100}$/), line(2_000)).optional();
const host = z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/);
const port = z.int().min(1).max(65_535);
const address = z.email().max(254);
/** A whole certificate in PEM. */
const ca = z.string().max(100_000).optional();

const siem = {
  generic_webhook: z.strictObject({
    kind: z.literal("generic_webhook"),
    url,
    secret: secret.optional(),
    headers,
  }),
  splunk_hec: z.strictObject({
    kind: z.literal("splunk_hec"),
    url,
    token: secret,
    source: line(200).default("oars"),
    sourcetype: line(200).default("oars:security"),
    index: line(200).optional(),
    host: line(200).optional(),
  }),
  datadog_logs: z.strictObject({
    kind: z.literal("datadog_logs"),
    apiKey: secret,
    url: url.default("https://http-intake.logs.datadoghq.com/api/v2/logs"),
    source: line(200).default("oars"),
    service: line(200).default("oars"),
    host: line(200).optional(),
    tags: z.array(line(200)).max(50).default([]),
  }),
  sentinel_log_analytics: z.strictObject({
    kind: z.literal("sentinel_log_analytics"),
    workspaceId: line(100),
    sharedKey: secret.refine((text) => /^[A-Za-z0-9+/=]+$/.test(text), "must be base64"),
    url: url.optional(),
    logType: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_]{0,99}$/)
      .default("OarsSecurityEvent"),
  }),
  syslog: z.strictObject({
    kind: z.literal("syslog"),
    host,
    port: port.default(6514),
    tls: z.boolean().default(true),
    ca,
    facility: z.int().min(0).max(23).default(13),
    appName: z
      .string()
      .regex(/^[\x21-\x7e]{1,48}$/)
      .default("oars"),
  }),
  otlp_logs: z.strictObject({
    kind: z.literal("otlp_logs"),
    url,
    headers,
    service: line(200).default("oars"),
  }),
  file: z.strictObject({
    kind: z.literal("file"),
    path: line(1_000),
    maxBytes: z.int().min(1_000).max(1_000_000_000).default(50_000_000),
    keep: z.int().min(1).max(1_000).default(10),
  }),
};

const channels = {
  slack_webhook: z.strictObject({ kind: z.literal("slack_webhook"), url }),
  pagerduty_events_v2: z.strictObject({
    kind: z.literal("pagerduty_events_v2"),
    routingKey: secret,
    source: line(200).default("oars"),
    url: url.default("https://events.pagerduty.com/v2/enqueue"),
  }),
  generic_webhook: siem.generic_webhook.extend({
    /** The body to send, with `{{field}}` in its texts; the notice itself when absent. */
    template: z
      .record(z.string(), z.unknown())
      .refine((value) => JSON.stringify(value).length <= 20_000, "must be at most 20,000 characters")
      .optional(),
  }),
  email: z.strictObject({
    kind: z.literal("email"),
    host,
    port: port.optional(),
    security: z.enum(["tls", "starttls", "off"]).default("starttls"),
    ca,
    user: line(254).optional(),
    password: secret.optional(),
    from: address,
    to: z.array(address).min(1).max(50),
  }),
};

const siemConfig = z.discriminatedUnion("kind", [
  siem.generic_webhook,
  siem.splunk_hec,
  siem.datadog_logs,
  siem.sentinel_log_analytics,
  siem.syslog,
  siem.otlp_logs,
  siem.file,
]);
const channelConfig = z.discriminatedUnion("kind", [
  channels.slack_webhook,
  channels.pagerduty_events_v2,
  channels.generic_webhook,
  channels.email,
]);

export type SiemConfig = z.output<typeof siemConfig>;
export type ChannelConfig = z.output<typeof channelConfig>;
export type TargetConfig = SiemConfig | ChannelConfig;
export type ConfigOf<K extends TargetConfig["kind"]> = Extract<TargetConfig, { kind: K }>;

export const configSchemas = { siem: siemConfig, alerts: channelConfig } as const;

/** What applies to a target of any kind. */
export const targetOptions = z.object({
  format: z.enum(["native", "ocsf", "cef", "cloudevents"]).default("native"),
  minSeverity: z.enum(severities).default("info"),
  types: z.array(z.string().max(100)).max(200).nullable().default(null),
});

const secretFields = ["secret", "token", "apiKey", "sharedKey", "routingKey", "password"];
const hidden = "[secret]";

/** The configuration without what would let somebody else send in its name. A Slack URL is such a thing as a whole. */
export function shownConfig(config: TargetConfig): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([name, value]) => {
      if (name === "kind" || value === undefined) return [];
      if (secretFields.includes(name)) return [[name, hidden]];
      if (name === "headers")
        return [[name, Object.fromEntries(Object.keys(value).map((key) => [key, hidden]))]];
      if (name === "url") return [[name, shownUrl(config.kind, String(value))]];
      return [[name, value]];
    }),
  );
}

function shownUrl(kind: TargetConfig["kind"], text: string): string {
  const { origin, pathname, search } = new URL(text);
  if (kind === "slack_webhook") return `${origin}/${hidden}`;
  return `${origin}${pathname}${search === "" ? "" : `?${hidden}`}`;
}
