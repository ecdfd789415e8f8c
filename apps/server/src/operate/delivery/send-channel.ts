/** Channels that reach people. Notices of one alert carry its id, so that a channel can put them together. */
import { wireConnectors } from "#act/connectors-wire";
import type { Severity } from "#platform/events";
import type { AlertNotice, Item, Sent } from "./domain.ts";
import { type Outside, post } from "./send-http.ts";
import { webhookHeaders } from "./send-siem.ts";
import type { ConfigOf } from "./target-config.ts";

const noticeOf = (item: Item): AlertNotice => {
  if (item.payload.kind === "alert") return item.payload.alert;
  throw new Error("a channel for people was given a security event");
};

const titleOf = (a: AlertNotice): string => {
  const what = { opened: "", escalated: "Unanswered: ", resolved: "Resolved: ", test: "Test: " }[a.notice];
  const times = a.count > 1 ? ` (${a.count} times)` : "";
  return `${what}[${a.severity}] ${a.code}: ${a.message}${times}`;
};

/** Slack's own marks in texts of others: `&`, `<` and `>` would make links and mentions. */
const plain = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").slice(0, 2_900);

export const sendSlack = (outside: Outside, config: ConfigOf<"slack_webhook">, item: Item): Promise<Sent> => {
  const alert = noticeOf(item);
  const text = `${plain(titleOf(alert))}\n<${alert.link}|Open ${alert.id}>`;
  return post(outside, { url: config.url, body: JSON.stringify({ text }) });
};

const pagerDutySeverity: Readonly<Record<Severity, string>> = {
  critical: "critical",
  high: "error",
  medium: "warning",
  low: "info",
  info: "info",
};

/** PagerDuty Events API v2: one incident per alert, resolved with it. */
export const sendPagerDuty = (
  outside: Outside,
  config: ConfigOf<"pagerduty_events_v2">,
  item: Item,
): Promise<Sent> => {
  const alert = noticeOf(item);
  const body = {
    routing_key: config.routingKey,
    event_action: alert.notice === "resolved" ? "resolve" : "trigger",
    dedup_key: alert.id,
    payload: {
      summary: titleOf(alert).slice(0, 1_024),
      source: config.source,
      severity: pagerDutySeverity[alert.severity],
      timestamp: alert.lastAt,
      class: alert.code,
      custom_details: { tenant: alert.tenantId, count: alert.count, ...alert.details },
    },
    links: [{ href: alert.link, text: alert.id }],
  };
  return post(outside, { url: config.url, body: JSON.stringify(body) });
};

const priorityOf: Readonly<Record<Severity, string>> = {
  critical: "P1",
  high: "P2",
  medium: "P3",
  low: "P4",
  info: "P5",
};

/** The body of a template: `{{field}}` in its texts gives a field of the notice, nested ones by dots. */
export function fillTemplate(template: unknown, alert: AlertNotice): unknown {
  const scope: Record<string, unknown> = {
    ...alert,
    title: titleOf(alert),
    priority: priorityOf[alert.severity],
  };
  const at = (path: string): string => {
    let value: unknown = scope;
    for (const name of path.split(".")) {
      const inside = typeof value === "object" && value !== null && Object.hasOwn(value, name);
      value = inside ? Reflect.get(value as object, name) : undefined;
    }
    return value === undefined || value === null
      ? ""
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);
  };
  const fill = (value: unknown): unknown => {
    if (typeof value === "string")
      return value.replace(/\{\{\s*([\w.]{1,100})\s*\}\}/g, (_, path: string) => at(path));
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)]));
  };
  return fill(template);
}

export const sendTemplate = (
  outside: Outside,
  config: ConfigOf<"generic_webhook">,
  item: Item,
): Promise<Sent> => {
  const alert = noticeOf(item);
  const template = "template" in config ? config.template : undefined;
  const body = JSON.stringify(template === undefined ? alert : fillTemplate(template, alert));
  const headers = { ...config.headers, ...webhookHeaders(config.secret, item.id, body) };
  return post(outside, { url: config.url, headers, body });
};

const mail = wireConnectors.find((one) => one.name === "email");

/** One message to all addresses. Its Message-ID is the item's, so that a repetition can be known. */
export async function sendEmail(outside: Outside, config: ConfigOf<"email">, item: Item): Promise<Sent> {
  const send = mail?.operations["email.send"];
  if (mail === undefined || send === undefined) throw new Error("there is no connector for e-mail");
  const alert = noticeOf(item);
  const { host, port, security, ca, user, password, from, to } = config;
  const settings = mail.configSchema.parse({
    host,
    security,
    from,
    ...(port === undefined ? {} : { port }),
    ...(ca === undefined ? {} : { ca }),
    ...(user === undefined ? {} : { auth: { user, password: "vault:password" } }),
  });
  const { tenantId, dialer, timeoutMs, signal } = outside;
  const connection = {
    id: item.id,
    tenantId,
    name: "alerts",
    connector: "email",
    config: {},
    settings,
    environment: "production",
    risk: 0,
    dataTypes: [],
    facts: {},
    emulate: false,
    revision: 1,
    createdAt: new Date(0),
    updatedAt: new Date(0),
  };
  const details = Object.entries(alert.details).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const text = [
    alert.message,
    "",
    `Alert ${alert.id}, ${alert.count} times since ${alert.openedAt}`,
    ...details,
    "",
    alert.link,
  ];
  const input = send.input.parse({
    connection: "alerts",
    to,
    subject: `OARS ${titleOf(alert)}`.replace(/\p{Cc}/gu, " ").slice(0, 400),
    text: text.join("\n"),
  });
  const outcome = await send.execute(
    { connection, secrets: async () => password ?? "", dialer, timeoutMs, signal, idempotencyKey: item.id },
    input,
  );
  if (outcome.status === "completed") return { kind: "delivered" };
  const { code, message } = outcome.error;
  const again = outcome.status === "unknown" || outcome.retryable;
  return { kind: again ? "unavailable" : "refused", message: `${code}: ${message}` };
}
