/** From the kind of a target to the code that reaches it. */
import type { Item, Purpose, Sent } from "./domain.ts";
import type { Rendering } from "./format.ts";
import { sendEmail, sendPagerDuty, sendSlack, sendTemplate } from "./send-channel.ts";
import { sendFile } from "./send-file.ts";
import type { Outside } from "./send-http.ts";
import { sendDatadog, sendOtlp, sendSentinel, sendSplunk, sendWebhook } from "./send-siem.ts";
import { sendSyslog } from "./send-syslog.ts";
import type { TargetConfig } from "./target-config.ts";

/** How many items one request may hold. */
const batches: Partial<Record<TargetConfig["kind"], number>> = {
  splunk_hec: 100,
  datadog_logs: 100,
  sentinel_log_analytics: 100,
  syslog: 100,
  otlp_logs: 100,
  file: 500,
};

export const batchOf = (kind: string): number => batches[kind as TargetConfig["kind"]] ?? 1;

/** Never throws for what the outside does. No more than `batchOf` items. */
export function send(
  outside: Outside,
  target: { readonly purpose: Purpose; readonly config: TargetConfig },
  items: readonly Item[],
  how: Rendering,
): Promise<Sent> {
  const { config, purpose } = target;
  const first = items[0];
  if (first === undefined) return Promise.resolve({ kind: "delivered" });
  switch (config.kind) {
    case "generic_webhook":
      return purpose === "alerts"
        ? sendTemplate(outside, config, first)
        : sendWebhook(outside, config, items, how);
    case "splunk_hec":
      return sendSplunk(outside, config, items, how);
    case "datadog_logs":
      return sendDatadog(outside, config, items, how);
    case "sentinel_log_analytics":
      return sendSentinel(outside, config, items, how);
    case "syslog":
      return sendSyslog(outside, config, items, how);
    case "otlp_logs":
      return sendOtlp(outside, config, items, how);
    case "file":
      return sendFile(config, items, how);
    case "slack_webhook":
      return sendSlack(outside, config, first);
    case "pagerduty_events_v2":
      return sendPagerDuty(outside, config, first);
    case "email":
      return sendEmail(outside, config, first);
  }
}
