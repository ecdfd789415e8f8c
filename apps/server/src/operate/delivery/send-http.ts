/** One HTTP request to a target, and what its answer means for what was sent. */
import { isOarsError } from "#platform/kernel";
import { type Dialer, isNetError } from "#platform/net";
import type { Sent } from "./domain.ts";

export interface Outside {
  readonly dialer: Pick<Dialer, "request" | "connect">;
  readonly tenantId: string;
  /** Of one attempt, all of it. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Posting {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string;
  /** Looks into an answer of 2xx that may say no all the same; the message then. */
  readonly objection?: (answer: string) => string | undefined;
}

const maxAnswer = 65_536;
/** Answers to which the same content would come to nothing another time. */
const final = new Set([400, 406, 409, 411, 413, 414, 415, 422, 431]);

export async function post(outside: Outside, p: Posting): Promise<Sent> {
  try {
    const answer = await outside.dialer.request({
      method: "POST",
      url: p.url,
      headers: { "content-type": "application/json", "user-agent": "oars", ...p.headers },
      body: p.body,
      timeoutMs: outside.timeoutMs,
      signal: outside.signal,
      maxResponseBytes: maxAnswer,
      tenantId: outside.tenantId,
    });
    const text = Buffer.from(answer.body).toString("utf8");
    if (answer.status >= 200 && answer.status < 300) {
      const objection = p.objection?.(text);
      return objection === undefined ? { kind: "delivered" } : { kind: "refused", message: objection };
    }
    const message = `answered ${answer.status}${firstLine(text)}`;
    if (final.has(answer.status)) return { kind: "refused", message };
    return { kind: "unavailable", message, retryAfterMs: retryAfterOf(answer.headers["retry-after"]) };
  } catch (error) {
    if (isNetError(error) && error.code === "NET_RESPONSE_TOO_LARGE") return { kind: "delivered" }; // it took it and talks
    if (isOarsError(error)) return { kind: "unavailable", message: `${error.code}: ${error.message}` };
    throw error;
  }
}

const firstLine = (text: string): string => {
  const line = text
    .trim()
    .split("\n")[0]
    ?.replace(/\p{Cc}/gu, " ")
    .slice(0, 200);
  return line ? `: ${line}` : "";
};

/** Seconds or an HTTP date (RFC 9110 §10.2.3), in milliseconds. */
export function retryAfterOf(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
