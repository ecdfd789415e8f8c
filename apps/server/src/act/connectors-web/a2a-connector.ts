import { createHash } from "node:crypto";
import { z } from "zod";
import { authSecrets } from "#act/connector-auth";
import {
  type CallContext,
  type Connector,
  connectionField,
  defineOperation,
  failed,
  isJson,
  lineField,
  type OperationContext,
  type OperationOutcome,
  type TestReport,
} from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { parseTarget } from "#platform/net";
import { callRpc, type RpcReply, shown } from "./json-rpc.ts";
import { completed, fieldAt, reportOf, textAt, type WebAnswer } from "./web-call.ts";
import { callJson, segment } from "./web-json.ts";
import { baseUrl, siteFields, siteOf } from "./web-site.ts";

const version = "1.0";

const config = z.strictObject({
  ...siteFields,
  /** Where the agent's card is; `/.well-known/agent-card.json` of the same origin when absent. */
  card: baseUrl.optional(),
  /** The agent's own tenant, where its card names one. */
  tenant: lineField(200).optional(),
});
type Settings = z.output<typeof config>;

const json = z.custom<Json>(isJson, { error: "must be JSON" });
const jsonObject = z.custom<Record<string, Json>>(
  (value) => isJson(value) && typeof value === "object" && value !== null && !Array.isArray(value),
  { error: "must be a JSON object" },
);
const mediaType = lineField(200).optional();
/** What A2A calls a part: text, data, or the place of a file, which the agent fetches by itself. */
const part = z.union([
  z.strictObject({ text: z.string().min(1).max(200_000), mediaType }),
  z.strictObject({ data: json, mediaType }),
  z.strictObject({ url: z.url().max(2_000), filename: lineField(200).optional(), mediaType }),
]);
const taskId = lineField(200);

const sendInput = z.strictObject({
  connection: connectionField,
  parts: z.array(part).min(1).max(50),
  /** Goes on with a task, or stays in a conversation. */
  taskId: taskId.optional(),
  contextId: lineField(200).optional(),
  metadata: jsonObject.optional(),
  /** Does not wait for the task's end. */
  returnImmediately: z.boolean().default(false),
});
const getInput = z.strictObject({
  connection: connectionField,
  taskId,
  historyLength: z.int().min(0).max(100).default(0),
});
const cancelInput = z.strictObject({ connection: connectionField, taskId });

const states = [
  "submitted",
  "working",
  "completed",
  "failed",
  "canceled",
  "input_required",
  "rejected",
  "auth_required",
] as const;
type State = (typeof states)[number] | "unspecified";

/** `TASK_STATE_INPUT_REQUIRED` -> `input_required`. */
const stateOf = (task: Json): State =>
  states.find((one) => `TASK_STATE_${one.toUpperCase()}` === fieldAt(task, "status.state")) ?? "unspecified";

const output = z.looseObject({
  state: z.enum([...states, "unspecified"]).nullable(),
  taskId: z.string().nullable(),
  contextId: z.string().nullable(),
  task: z.json().optional(),
  message: z.json().optional(),
});

const call = (
  context: CallContext<Settings>,
  method: string,
  params: { readonly [key: string]: Json },
  read: boolean,
): Promise<RpcReply> => {
  const { settings } = context.connection;
  const tenant = settings.tenant === undefined ? {} : { tenant: settings.tenant };
  return callRpc(context, settings, {
    method,
    params: { ...tenant, ...params },
    headers: { "a2a-version": version },
    read,
  });
};

const present = (fields: Record<string, unknown>): { [key: string]: Json } =>
  Object.fromEntries(Object.entries(fields).filter((one): one is [string, Json] => one[1] !== undefined)); // inputs are JSON

/** One name in every attempt of an effect, so that an agent that looks at it can tell them apart. */
const messageIdOf = (key: string): string =>
  createHash("sha256").update(`oars a2a message\n${key}`).digest("hex").slice(0, 32);

async function sendMessage(
  context: OperationContext<Settings>,
  input: z.output<typeof sendInput>,
): Promise<OperationOutcome> {
  const message = present({
    messageId: messageIdOf(context.idempotencyKey),
    role: "ROLE_USER",
    parts: input.parts.map(present),
    taskId: input.taskId,
    contextId: input.contextId,
    metadata: input.metadata,
  });
  const configuration = { returnImmediately: input.returnImmediately };
  const reply = await call(context, "SendMessage", { message, configuration }, false);
  if (reply.kind !== "result") return ended(context, reply);
  const said = fieldAt(reply.result, "message") as Json | undefined; // out of parsed JSON
  if (textAt(said, "messageId") !== "")
    return completed(reply.answer, {
      state: null,
      taskId: textAt(said, "taskId") || null,
      contextId: textAt(said, "contextId") || null,
      message: said ?? null,
    });
  const task = fieldAt(reply.result, "task") as Json | undefined; // out of parsed JSON
  return taskOutcome(context, reply.answer, task, "effect");
}

async function onTask(
  context: CallContext<Settings>,
  method: "GetTask" | "CancelTask",
  params: { readonly [key: string]: Json },
): Promise<OperationOutcome> {
  const read = method === "GetTask";
  const reply = await call(context, method, params, read);
  if (reply.kind !== "result") return ended(context, reply);
  return taskOutcome(context, reply.answer, reply.result, read ? "read" : "cancel");
}

function ended(
  { connection }: CallContext,
  reply: Exclude<RpcReply, { readonly kind: "result" }>,
): OperationOutcome {
  if (reply.kind === "ended") return reply.outcome;
  const { code, message, data } = reply.error;
  return failed("A2A_REFUSED", `${connection.name} refused: ${message.slice(0, 500)}.`, {
    details: { code, data: shown(data) },
  });
}

/** A task that the agent rejected or that failed is a failure of what was asked; reading it is not. */
function taskOutcome(
  { connection }: CallContext,
  answer: WebAnswer,
  task: Json | undefined,
  asked: "effect" | "read" | "cancel",
): OperationOutcome {
  const { name } = connection;
  const id = textAt(task, "id");
  if (task === undefined || id === "") {
    const message = `${name} answered with neither a task nor a message.`;
    if (asked === "read") return failed("A2A_PROTOCOL", message);
    return { status: "unknown", error: { code: "A2A_PROTOCOL", message, retry: "terminal" } };
  }
  const state = stateOf(task);
  if (asked === "effect" && (state === "failed" || state === "rejected")) {
    const parts = fieldAt(task, "status.message.parts");
    const why = Array.isArray(parts) ? parts.map((one) => textAt(one, "text")).find((one) => one !== "") : "";
    return failed(
      `A2A_TASK_${state.toUpperCase()}`,
      `${name}: the task ${state === "failed" ? "failed" : "was rejected"}${why ? `: ${why.slice(0, 500)}` : ""}.`,
      { details: { taskId: id, state, task: shown(task) } },
    );
  }
  return completed(answer, { state, taskId: id, contextId: textAt(task, "contextId") || null, task });
}

const taskTarget = (settings: Settings, id: string): string => `${siteOf(settings.url)}#task/${segment(id)}`;

const emulatedTask = (state: State, id: string) => ({
  state,
  taskId: id,
  contextId: "context-1",
  task: { id, contextId: "context-1", status: { state: `TASK_STATE_${state.toUpperCase()}` } },
});

const send = defineOperation<Settings, z.output<typeof sendInput>>({
  name: "a2a.send_message",
  title: "Send a message",
  description: "Sends a message to the agent, which answers with a message or a task.",
  verbs: ["send"],
  input: sendInput,
  output,
  meaning: (settings, input) => ({
    verb: "send",
    target: input.taskId === undefined ? siteOf(settings.url) : taskTarget(settings, input.taskId),
    idempotent: false,
  }),
  execute: sendMessage,
  emulate: (_connection, input) => emulatedTask("completed", input.taskId ?? "task-1"),
});

const get = defineOperation<Settings, z.output<typeof getInput>>({
  name: "a2a.get_task",
  title: "Read a task",
  description: "Reads the state and the results of a task.",
  verbs: ["read"],
  input: getInput,
  output,
  meaning: (settings, input) => ({
    verb: "read",
    target: taskTarget(settings, input.taskId),
    idempotent: true,
  }),
  execute: (context, { taskId: id, historyLength }) => onTask(context, "GetTask", { id, historyLength }),
  emulate: (_connection, input) => emulatedTask("completed", input.taskId),
});

const cancel = defineOperation<Settings, z.output<typeof cancelInput>>({
  name: "a2a.cancel_task",
  title: "Cancel a task",
  description: "Asks the agent to cancel a task.",
  verbs: ["write"],
  input: cancelInput,
  output,
  meaning: (settings, input) => ({
    verb: "write",
    target: taskTarget(settings, input.taskId),
    idempotent: false,
  }),
  execute: (context, { taskId: id }) => onTask(context, "CancelTask", { id }),
  emulate: (_connection, input) => emulatedTask("canceled", input.taskId),
});

async function testAgent(context: CallContext<Settings>): Promise<TestReport> {
  const { settings } = context.connection;
  const url = settings.card ?? `${parseTarget(settings.url).origin}/.well-known/agent-card.json`;
  const outcome = await callJson(context, settings, { method: "GET", url });
  if (outcome.status !== "completed") return reportOf(outcome, siteOf(settings.url));
  const card = fieldAt(outcome.output, "body");
  const offered = fieldAt(card, "supportedInterfaces");
  const fitting = (Array.isArray(offered) ? offered : []).filter(
    (one) =>
      textAt(one, "protocolBinding").toUpperCase() === "JSONRPC" &&
      /^1\.\d+/.test(textAt(one, "protocolVersion")),
  );
  const name = textAt(card, "name").slice(0, 100) || "The agent";
  if (fitting.length === 0)
    return { ok: false, code: "A2A_INTERFACE", message: `${name} has no card with JSON-RPC of A2A 1.x.` };
  const same = fitting.some(
    (one) => URL.canParse(textAt(one, "url")) && sameUrl(textAt(one, "url"), settings.url),
  );
  const note = same ? "" : " Its card gives another URL than the connection; that one was not called.";
  return { ok: true, message: `${name} answered with its card.${note}` };
}

const sameUrl = (one: string, other: string): boolean =>
  new URL(one).href.replace(/\/$/, "") === new URL(other).href.replace(/\/$/, "");

/** Talks to one agent that speaks A2A 1.0 over JSON-RPC. */
export const a2aConnector: Connector<Settings> = {
  name: "a2a",
  title: "A2A agent",
  description: "Sends messages to one agent that speaks A2A, and reads and cancels its tasks.",
  docs: "https://a2a-protocol.org/v1.0.0/specification/",
  auth: ["none", "bearer", "basic", "header"],
  configSchema: config,
  operations: { "a2a.send_message": send, "a2a.get_task": get, "a2a.cancel_task": cancel },
  factSpecs: () => [],
  secretNames: (settings) => authSecrets(settings.auth),
  test: testAgent,
  fixtures: {
    config: { url: "https://agent.example.com/a2a", auth: { bearer: "vault:agent-token" } },
    inputs: {
      "a2a.send_message": [
        {
          input: { parts: [{ text: "Where is order 7?" }] },
          shape: { verb: "send", target: "agent.example.com/a2a", idempotent: false },
        },
        {
          input: { parts: [{ data: { yes: true } }], taskId: "t/1" },
          shape: { target: "agent.example.com/a2a#task/t%2F1" },
        },
      ],
      "a2a.get_task": [{ input: { taskId: "t1" }, shape: { verb: "read", idempotent: true } }],
      "a2a.cancel_task": [{ input: { taskId: "t1" }, shape: { verb: "write", idempotent: false } }],
    },
  },
};
