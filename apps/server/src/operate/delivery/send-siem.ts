/** Targets that take events over HTTP. */
import { createHmac } from "node:crypto";
import { type Severity, severities } from "#platform/events";
import type { Item, Sent } from "./domain.ts";
import { type Rendering, render, severityOf, timeOf } from "./format.ts";
import { type Outside, post } from "./send-http.ts";
import type { ConfigOf } from "./target-config.ts";

/** Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`. A secret after `whsec_` is base64. */
export function webhookHeaders(secret: string | undefined, id: string, body: string): Record<string, string> {
  const timestamp = Math.floor(Date.now() / 1000);
  const named = { "webhook-id": id, "webhook-timestamp": String(timestamp) };
  if (secret === undefined) return named;
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : secret;
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { ...named, "webhook-signature": `v1,${signature}` };
}

const jsonOf = (rendered: unknown): string =>
  JSON.stringify(typeof rendered === "string" ? { cef: rendered } : rendered);

/** One request for one item: a signature covers one id. */
export async function sendWebhook(
  outside: Outside,
  config: ConfigOf<"generic_webhook">,
  items: readonly Item[],
  how: Rendering,
): Promise<Sent> {
  const [item] = items;
  if (item === undefined) return { kind: "delivered" };
  const body = jsonOf(render(item, how));
  const headers = { ...config.headers, ...webhookHeaders(config.secret, item.id, body) };
  return post(outside, { url: config.url, headers, body });
}

/** Splunk HTTP Event Collector: events one after the other in one body. */
export const sendSplunk = (
  outside: Outside,
  config: ConfigOf<"splunk_hec">,
  items: readonly Item[],
  how: Rendering,
): Promise<Sent> => {
  const { source, sourcetype, index, host } = config;
  const body = items
    .map((item) =>
      JSON.stringify({
        time: timeOf(item.payload) / 1000,
        source,
        sourcetype,
        ...(index === undefined ? {} : { index }),
        ...(host === undefined ? {} : { host }),
        fields: { id: item.id },
        event: render(item, how),
      }),
    )
    .join("\n");
  const objection = (answer: string): string | undefined => {
    const code = /"code"\s*:\s*(\d+)/.exec(answer)?.[1];
    return code === undefined || code === "0" ? undefined : `Splunk answered code ${code}`;
  };
  return post(outside, {
    url: config.url,
    headers: { authorization: `Splunk ${config.token}` },
    body,
    objection,
  });
};

/** Datadog's log intake, version 2. */
export const sendDatadog = (
  outside: Outside,
  config: ConfigOf<"datadog_logs">,
  items: readonly Item[],
  how: Rendering,
): Promise<Sent> => {
  const statuses: Readonly<Record<Severity, string>> = {
    info: "info",
    low: "notice",
    medium: "warning",
    high: "error",
    critical: "critical",
  };
  const body = JSON.stringify(
    items.map((item) => {
      const rendered = render(item, how);
      return {
        ddsource: config.source,
        service: config.service,
        ...(config.host === undefined ? {} : { hostname: config.host }),
        ddtags: config.tags.join(","),
        status: statuses[severityOf(item.payload)],
        timestamp: timeOf(item.payload),
        id: item.id,
        message: typeof rendered === "string" ? rendered : JSON.stringify(rendered),
      };
    }),
  );
  return post(outside, { url: config.url, headers: { "dd-api-key": config.apiKey }, body });
};

/** Azure Monitor HTTP Data Collector API: HMAC-SHA256 over method, length, type, date and resource. */
export const sendSentinel = (
  outside: Outside,
  config: ConfigOf<"sentinel_log_analytics">,
  items: readonly Item[],
  how: Rendering,
): Promise<Sent> => {
  const rows = items.map((item) => {
    const rendered = render(item, how);
    const row = typeof rendered === "string" ? { cef: rendered } : (rendered as object);
    return { ...row, EventId: item.id, EventTime: new Date(timeOf(item.payload)).toISOString() };
  });
  const body = JSON.stringify(rows);
  const date = new Date().toUTCString();
  const signed = `POST\n${Buffer.byteLength(body)}\napplication/json\nx-ms-date:${date}\n/api/logs`;
  const key = Buffer.from(config.sharedKey, "base64");
  const signature = createHmac("sha256", key).update(signed, "utf8").digest("base64");
  const site = config.url ?? `https://${config.workspaceId}.ods.opinsights.azure.com/api/logs`;
  const url = new URL(site);
  url.searchParams.set("api-version", "2016-04-01");
  const headers = {
    authorization: `SharedKey ${config.workspaceId}:${signature}`,
    "log-type": config.logType,
    "x-ms-date": date,
    "time-generated-field": "EventTime",
  };
  return post(outside, { url: url.href, headers, body });
};

/** OpenTelemetry logs, OTLP/HTTP with JSON. */
export const sendOtlp = (
  outside: Outside,
  config: ConfigOf<"otlp_logs">,
  items: readonly Item[],
  how: Rendering,
): Promise<Sent> => {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const logRecords = items.map((item) => {
    const rendered = render(item, how);
    const severity = severityOf(item.payload);
    const nanoseconds = `${timeOf(item.payload)}000000`;
    return {
      timeUnixNano: nanoseconds,
      observedTimeUnixNano: nanoseconds,
      severityNumber: [9, 10, 13, 17, 21][severities.indexOf(severity)],
      severityText: severity.toUpperCase(),
      body: { stringValue: typeof rendered === "string" ? rendered : JSON.stringify(rendered) },
      attributes: [
        text("event.id", item.id),
        text("event.name", item.payload.kind === "event" ? item.payload.event.type : "alert"),
        text(
          "oars.tenant.id",
          item.payload.kind === "event" ? item.payload.event.tenantId : item.payload.alert.tenantId,
        ),
      ],
    };
  });
  const body = JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: [text("service.name", config.service)] },
        scopeLogs: [{ scope: { name: "oars.security", version: how.version }, logRecords }],
      },
    ],
  });
  const objection = (answer: string): string | undefined => {
    const rejected = /"rejectedLogRecords"\s*:\s*"?(\d+)/.exec(answer)?.[1];
    return rejected === undefined || rejected === "0" ? undefined : `${rejected} records were rejected`;
  };
  return post(outside, { url: config.url, headers: config.headers, body, objection });
};
