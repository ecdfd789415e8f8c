/** JSON-RPC 2.0 over one HTTP exchange: the answer is a JSON body, or a stream of server-sent events that ends. */
import type { WebAuth } from "#act/connector-auth";
import { type CallContext, failed, isJson, type OperationOutcome } from "#act/connector-kit";
import { type Json, newId } from "#platform/kernel";
import { callWeb, fieldAt, plainHeaders, type WebAnswer } from "./web-call.ts";

export interface RpcSite {
  readonly url: string;
  readonly auth?: WebAuth | undefined;
  /** Milliseconds. */
  readonly timeout: number;
}

export interface RpcRequest {
  readonly method: string;
  readonly params: Json;
  readonly headers: Readonly<Record<string, string>>;
  /** Changes nothing: without an answer it failed, and may be asked again. */
  readonly read: boolean;
  /** Nothing is expected back. */
  readonly notification?: boolean;
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data: Json;
}

/** What came back, or how the call ended without an answer of the protocol. */
export type RpcReply =
  | { readonly kind: "result"; readonly result: Json; readonly answer: WebAnswer }
  | { readonly kind: "error"; readonly error: RpcError; readonly answer: WebAnswer }
  | { readonly kind: "ended"; readonly outcome: OperationOutcome };

/** Statuses whose body may be an answer of the protocol: a refusal of the method, the session or the version. */
const spoken = [200, 202, 400, 404, 405, 406];

/**
 * One request. Its id is new, and only an answer with that id counts. A call that is no read and got no such answer
 * is unknown: the other side may have acted. Never throws for what the other side does.
 */
export async function callRpc(context: CallContext, site: RpcSite, request: RpcRequest): Promise<RpcReply> {
  const id = newId();
  const body = { jsonrpc: "2.0", ...(request.notification ? {} : { id }), method: request.method };
  const outcome = await callWeb(context, () => ({
    method: "POST",
    url: site.url,
    headers: {
      ...plainHeaders,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...request.headers,
    },
    body: JSON.stringify({ ...body, params: request.params }),
    read: request.read,
    idempotent: request.read,
    expected: spoken,
    timeoutMs: site.timeout,
    auth: site.auth,
  }));
  if (outcome.status !== "completed") return { kind: "ended", outcome };
  const answer = outcome.output as unknown as WebAnswer; // made by outputOf
  if (request.notification && answer.status < 300) return { kind: "result", result: {}, answer };
  return replyOf(answer, id) ?? { kind: "ended", outcome: noReply(context, answer, request.read) };
}

function replyOf(answer: WebAnswer, id: string): RpcReply | undefined {
  const message = messagesOf(answer).find(
    (one) => fieldAt(one, "jsonrpc") === "2.0" && belongs(fieldAt(one, "id"), id, answer.status),
  );
  const error = fieldAt(message, "error");
  if (error !== undefined) {
    const [code, text, data] = ["code", "message", "data"].map((name) => fieldAt(error, name));
    if (typeof code !== "number" || typeof text !== "string") return undefined;
    return { kind: "error", error: { code, message: text, data: isJson(data) ? data : null }, answer };
  }
  const result = fieldAt(message, "result");
  return answer.status === 200 && result !== undefined && isJson(result)
    ? { kind: "result", result, answer }
    : undefined;
}

/** A refusal by status may come before the body is read: then it has no id to repeat. */
const belongs = (found: unknown, id: string, status: number): boolean =>
  found === id || (status >= 400 && (found === null || found === undefined));

function messagesOf(answer: WebAnswer): readonly unknown[] {
  const { body } = answer;
  const type = answer.headers["content-type"] ?? "";
  if (typeof body === "string" && /^text\/event-stream\b/i.test(type)) return eventsOf(body);
  return Array.isArray(body) ? body : [body];
}

/** The JSON of each event's data, in order; what is no JSON is left out. */
export function eventsOf(stream: string): unknown[] {
  return stream
    .replace(/^\ufeff/, "")
    .split(/\r\n\r\n|\n\n|\r\r/)
    .flatMap((event) => {
      const lines = event.split(/\r\n|\n|\r/).filter((line) => line.startsWith("data:"));
      try {
        return lines.length === 0
          ? []
          : [JSON.parse(lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n"))];
      } catch {
        return [];
      }
    });
}

function noReply(context: CallContext, answer: WebAnswer, read: boolean): OperationOutcome {
  const { name } = context.connection;
  const details = { status: answer.status };
  if (answer.status >= 400)
    return {
      ...failed(`HTTP_${answer.status}`, `${name} answered ${answer.status} to POST.`, { details }),
      http: answer.status,
    } as OperationOutcome; // failed with the status of its answer
  const message = `${name} answered ${answer.status} without an answer to this request.`;
  if (read) return failed("RPC_NO_ANSWER", message, { retryable: true, details });
  return { status: "unknown", error: { code: "RPC_NO_ANSWER", message, retry: "terminal", details } };
}

const shownDetails = 16_000;

/** What is shown of an answer beside an error: whole, or the beginning of its text when it is long. */
export function shown(value: Json): Json {
  const text = JSON.stringify(value);
  return text.length <= shownDetails ? value : { shortened: text.slice(0, shownDetails).toWellFormed() };
}
