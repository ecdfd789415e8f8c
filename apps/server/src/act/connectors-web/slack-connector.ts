import { z } from "zod";
import {
  type CallContext,
  type Connector,
  connectionField,
  defineOperation,
  failed,
  isJson,
  lineField,
  type OperationOutcome,
  secretReference,
  timeoutField,
} from "#act/connector-kit";
import { type Json, OarsError } from "#platform/kernel";
import { callWeb, completed, onAnswer, plainHeaders, reportOf, textAt, type WebAnswer } from "./web-call.ts";
import { callJson } from "./web-json.ts";
import { baseUrl, siteOf, trimmed } from "./web-site.ts";

const config = z.strictObject({
  /** A bot token reaches channels by name; an incoming webhook reaches the one that it was made for. */
  auth: z.union([z.strictObject({ token: secretReference }), z.strictObject({ webhook: secretReference })]),
  apiUrl: baseUrl.default("https://slack.com/api"),
  /** Where a webhook must lead: the secret cannot send messages to another site. */
  webhookUrl: baseUrl.default("https://hooks.slack.com"),
  timeout: timeoutField.default(15_000),
});
type Settings = z.output<typeof config>;

const message = {
  connection: connectionField,
  text: z.string().min(1).max(40_000),
  blocks: z
    .array(z.custom<Json>(isJson, { error: "must be JSON" }))
    .max(50)
    .optional(),
} as const;
const channel = lineField(100).regex(/^[#@]?[^\s/]+$/, {
  error: "must be a channel, such as #alerts or C0123",
});

const postInput = z.strictObject({
  ...message,
  /** Required with a token; a webhook has its own. */
  channel: channel.optional(),
  /** `ts` of the message to answer to. */
  thread: lineField(50).optional(),
});
const updateInput = z.strictObject({ ...message, channel, ts: lineField(50) });
type Post = z.output<typeof postInput>;
type Update = z.output<typeof updateInput>;

const posted = z.looseObject({ channel: z.string(), ts: z.string() });

/** Slack answers 200 to refusals too; `ok` says what happened. */
const readApi = (answer: WebAnswer, connection: string): OperationOutcome => {
  if (
    typeof answer.body === "object" &&
    answer.body !== null &&
    "ok" in answer.body &&
    answer.body.ok === true
  )
    return completed(answer, { channel: textAt(answer.body, "channel"), ts: textAt(answer.body, "ts") });
  const error = textAt(answer.body, "error") || "an answer that is not Slack's";
  return failed(
    `SLACK_${error.toUpperCase().replace(/[^A-Z0-9]+/g, "_")}`.slice(0, 60),
    `${connection} answered: ${error}.`,
  );
};

const api = async (
  context: CallContext<Settings>,
  method: string,
  body: object,
): Promise<OperationOutcome> => {
  const { settings, name } = context.connection;
  const token = "token" in settings.auth ? settings.auth.token : "";
  const outcome = await callJson(
    context,
    { auth: { bearer: token }, timeout: settings.timeout },
    { method: "POST", url: `${trimmed(settings.apiUrl)}/${method}`, body, read: method === "auth.test" },
  );
  return onAnswer(outcome, (answer) => readApi(answer, name));
};

const hook = (context: CallContext<Settings>, body: object, expected?: readonly number[]) =>
  callWeb(context, async () => {
    const { settings } = context.connection;
    const url = await context.secrets("webhook" in settings.auth ? settings.auth.webhook : "");
    const base = trimmed(settings.webhookUrl);
    if (!URL.canParse(url) || !new URL(url).href.startsWith(`${base}/`))
      throw new OarsError("NET_URL_INVALID", {
        url: "the webhook",
        reason: `it does not begin with ${base}/`,
      });
    return {
      method: "POST",
      url,
      headers: { ...plainHeaders, "content-type": "application/json" },
      body: JSON.stringify(body),
      read: false,
      idempotent: false,
      expected,
      timeoutMs: settings.timeout,
      secrets: [url, new URL(url).pathname],
    };
  });

const post = defineOperation<Settings, Post>({
  name: "slack.post_message",
  title: "Post a message",
  description: "Posts a message to a channel, or as an answer in a thread.",
  verbs: ["send"],
  input: postInput,
  output: posted,
  meaning(settings, input) {
    const viaHook = "webhook" in settings.auth;
    const target = viaHook ? `${siteOf(settings.webhookUrl)}/webhook` : `slack.com/${input.channel ?? ""}`;
    const problem = viaHook
      ? input.channel !== undefined && "is set by the webhook; leave it out"
      : input.channel === undefined && "is required with a token";
    const problems = problem ? [{ path: "input.channel", code: "SLACK_CHANNEL", message: problem }] : [];
    return { verb: "send", target, idempotent: false, problems };
  },
  async execute(context, { channel: to, text, blocks, thread }) {
    const body = { text, blocks, thread_ts: thread };
    if ("token" in context.connection.settings.auth)
      return api(context, "chat.postMessage", { channel: to, ...body });
    return onAnswer(await hook(context, body), (answer) => completed(answer, { channel: "", ts: "" }));
  },
  emulate: (_connection, input) => ({ channel: input.channel ?? "", ts: "1700000000.000100" }),
});

const update = defineOperation<Settings, Update>({
  name: "slack.update_message",
  title: "Change a message",
  description: "Replaces the text of a message that the token's bot has posted.",
  verbs: ["write"],
  input: updateInput,
  output: posted,
  meaning: (settings, input) => ({
    verb: "write",
    target: `slack.com/${input.channel}`,
    idempotent: true,
    problems:
      "token" in settings.auth
        ? []
        : [{ path: "operation", code: "SLACK_TOKEN", message: "needs a connection with a token" }],
  }),
  execute: (context, { channel: to, ts, text, blocks }) =>
    api(context, "chat.update", { channel: to, ts, text, blocks }),
  emulate: (_connection, input) => ({ channel: input.channel, ts: input.ts }),
});

/** Posts messages to Slack through the Web API or an incoming webhook. */
export const slackConnector: Connector<Settings> = {
  name: "slack",
  title: "Slack",
  description: "Posts messages to Slack with a bot token or an incoming webhook.",
  docs: "https://docs.slack.dev/reference/methods/chat.postMessage",
  auth: ["bearer", "webhook_url"],
  configSchema: config,
  operations: { "slack.post_message": post, "slack.update_message": update },
  factSpecs: () => [],
  secretNames: ({ auth }) => ["token" in auth ? auth.token : auth.webhook],
  async test(context) {
    const { settings } = context.connection;
    if ("token" in settings.auth) return reportOf(await api(context, "auth.test", {}), "Slack");
    const outcome = await hook(context, {}, [400]); // a message without text is refused: nothing is posted
    return reportOf(outcome, siteOf(settings.webhookUrl));
  },
  fixtures: {
    config: { auth: { token: "vault:slack-token" } },
    inputs: {
      "slack.post_message": [
        {
          input: { channel: "#alerts", text: "Order 7 is late" },
          shape: { verb: "send", target: "slack.com/#alerts", idempotent: false },
        },
      ],
      "slack.update_message": [
        { input: { channel: "C01", ts: "1700000000.000100", text: "done" }, shape: { verb: "write" } },
      ],
    },
  },
};
