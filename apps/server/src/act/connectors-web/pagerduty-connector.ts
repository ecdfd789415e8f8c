import { z } from "zod";
import {
  type CallContext,
  type Connector,
  connectionField,
  defineOperation,
  isJson,
  lineField,
  type OperationOutcome,
  secretReference,
  timeoutField,
} from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { callWeb, completed, onAnswer, plainHeaders, reportOf, textAt } from "./web-call.ts";
import { baseUrl, siteOf, trimmed } from "./web-site.ts";

const config = z.strictObject({
  routingKey: secretReference,
  url: baseUrl.default("https://events.pagerduty.com"),
  timeout: timeoutField.default(15_000),
});
type Settings = z.output<typeof config>;

const dedupKey = lineField(255);
const optionalLine = lineField(1_024).optional();

const triggerInput = z.strictObject({
  connection: connectionField,
  summary: lineField(1_024),
  source: lineField(1_024),
  severity: z.enum(["critical", "error", "warning", "info"]),
  /** Events with the same key are one incident. Absent: each action is one, however often it is sent. */
  dedupKey: dedupKey.optional(),
  component: optionalLine,
  group: optionalLine,
  class: optionalLine,
  details: z.custom<Json>((value) => isJson(value), { error: "must be JSON" }).optional(),
});
const endInput = z.strictObject({ connection: connectionField, dedupKey });
type Trigger = z.output<typeof triggerInput>;
type End = z.output<typeof endInput>;

const output = z.looseObject({ status: z.string(), dedupKey: z.string() });

const send = (context: CallContext<Settings>, event: object, expected?: readonly number[]) =>
  callWeb(context, async () => {
    const { settings } = context.connection;
    const key = await context.secrets(settings.routingKey);
    return {
      method: "POST",
      url: `${trimmed(settings.url)}/v2/enqueue`,
      headers: { ...plainHeaders, "content-type": "application/json" },
      body: JSON.stringify({ routing_key: key, ...event }),
      read: false,
      idempotent: true, // by its dedup_key
      expected,
      timeoutMs: settings.timeout,
      secrets: [key],
    };
  });

const enqueue = async (context: CallContext<Settings>, event: object): Promise<OperationOutcome> =>
  onAnswer(await send(context, event), (answer) =>
    completed(answer, {
      status: textAt(answer.body, "status"),
      dedupKey: textAt(answer.body, "dedup_key"),
    }),
  );

const meaning = (settings: Settings) =>
  ({ verb: "send", target: `${siteOf(settings.url)}/v2/enqueue`, idempotent: true }) as const;

const trigger = defineOperation<Settings, Trigger>({
  name: "pagerduty.trigger",
  title: "Raise an incident",
  description: "Sends a trigger event; events with one dedup key are one incident.",
  verbs: ["send"],
  input: triggerInput,
  output,
  meaning,
  execute: (context, { connection: _, dedupKey: key, details, ...payload }) =>
    enqueue(context, {
      event_action: "trigger",
      dedup_key: key ?? context.idempotencyKey.slice(0, 255),
      payload: { ...payload, custom_details: details },
    }),
  emulate: (_connection, input) => ({ status: "success", dedupKey: input.dedupKey ?? "emulated" }),
});

const end = (name: string, title: string, description: string, action: string) =>
  defineOperation<Settings, End>({
    name,
    title,
    description,
    verbs: ["send"],
    input: endInput,
    output,
    meaning,
    execute: (context, input) => enqueue(context, { event_action: action, dedup_key: input.dedupKey }),
    emulate: (_connection, input) => ({ status: "success", dedupKey: input.dedupKey }),
  });

const known = {
  input: { dedupKey: "order-7" },
  shape: { verb: "send", target: "events.pagerduty.com/v2/enqueue", idempotent: true },
} as const;

/** Raises, acknowledges and resolves incidents through Events API v2. */
export const pagerdutyConnector: Connector<Settings> = {
  name: "pagerduty",
  title: "PagerDuty",
  description: "Raises, acknowledges and resolves incidents through Events API v2.",
  docs: "https://developer.pagerduty.com/docs/events-api-v2-overview",
  auth: ["routing_key"],
  configSchema: config,
  operations: {
    "pagerduty.trigger": trigger,
    "pagerduty.acknowledge": end(
      "pagerduty.acknowledge",
      "Acknowledge an incident",
      "Says that somebody works on the incident.",
      "acknowledge",
    ),
    "pagerduty.resolve": end(
      "pagerduty.resolve",
      "Resolve an incident",
      "Says that the incident is over.",
      "resolve",
    ),
  },
  factSpecs: () => [],
  secretNames: (settings) => [settings.routingKey],
  async test(context) {
    const outcome = await send(context, {}, [400]); // an event without an action is refused: nothing is raised
    const report = reportOf(outcome, siteOf(context.connection.settings.url));
    return report.ok
      ? { ...report, message: `${report.message} It does not say whether the routing key is right.` }
      : report;
  },
  fixtures: {
    config: { routingKey: "vault:pagerduty-key" },
    inputs: {
      "pagerduty.trigger": [
        { input: { summary: "Order 7 is late", source: "oars", severity: "warning" }, shape: known.shape },
      ],
      "pagerduty.acknowledge": [known],
      "pagerduty.resolve": [known],
    },
  },
};
