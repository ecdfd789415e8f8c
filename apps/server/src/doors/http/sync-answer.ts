/** Answers that carry the end of a run: RFC 7240 `Prefer: wait`, and what a run came to as an HTTP answer. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { OarsError } from "#platform/kernel";
import { shown } from "./wire-id.ts";

/** Longest time that a request may wait for its run. */
export const longestWaitSeconds = 60;
const defaultWaitSeconds = 10;

/** The header of requests that may wait, as the document describes it. */
export const preferHeader = {
  name: "Prefer",
  description: `\`wait=N\` (RFC 7240): answer with the run's end when it comes within N seconds, at most ${longestWaitSeconds}.`,
  example: "wait=10",
} as const;

/** How long to wait for the run, in milliseconds; 0: not at all. A preference that cannot be read is none. */
export function waitOf(request: FastifyRequest, reply: FastifyReply, isSync: boolean): number {
  const asked = preferredWait(request.headers.prefer);
  if (asked === undefined) return isSync ? defaultWaitSeconds * 1000 : 0;
  const seconds = Math.min(asked, longestWaitSeconds);
  reply.header("preference-applied", `wait=${seconds}`);
  return seconds * 1000;
}

/**
 * How long to wait for an outcome, in milliseconds; 0 with `respond-async`; undefined: nothing was said. Says what was
 * taken of it.
 */
export function preferenceOf(request: FastifyRequest, reply: FastifyReply): number | undefined {
  const { prefer } = request.headers;
  if (prefer === undefined) return undefined;
  const asked = preferredWait(prefer);
  if (asked !== undefined) {
    const seconds = Math.min(asked, longestWaitSeconds);
    reply.header("preference-applied", `wait=${seconds}`);
    return seconds * 1000;
  }
  if (!/(?:^|[,;])\s*respond-async\s*(?:[,;]|$)/i.test([prefer].flat().join(","))) return undefined;
  reply.header("preference-applied", "respond-async");
  return 0;
}

function preferredWait(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  const given = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[,;]|$)/i.exec([header].flat().join(","))?.[1];
  return given === undefined ? undefined : Number(given);
}

/** Aborts when the connection closes before the answer is out. */
export function whenGone({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (raw.destroyed) gone.abort();
  else {
    raw.once("close", () => {
      if (!raw.writableEnded) gone.abort();
    });
  }
  return gone.signal;
}

interface Ended {
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/**
 * Throws for a run that ended without an output: RUN_FAILED, RUN_ABORTED. The message of the failed step is for
 * the tenant's own people (`tellsWhy`); a sender of webhooks learns the code.
 */
export function requireOutput(runId: string, { status, error }: Ended, tellsWhy: boolean): void {
  if (status === "completed") return;
  const reason = error?.code ?? "RUN_BROKEN";
  const errors = tellsWhy && error ? [{ path: "", code: error.code, message: error.message }] : [];
  throw new OarsError(status === "aborted" ? "RUN_ABORTED" : "RUN_FAILED", { runId, reason }, { errors });
}

/** Says which run an answer comes from. */
export function linkRun(reply: FastifyReply, runId: string, has: "location" | "via"): void {
  const path = `/v1/runs/${shown("run", runId)}`;
  if (has === "location") reply.header("location", path);
  else reply.header("link", `<${path}>; rel="via"`);
}

export const jsonType = "application/json; charset=utf-8";
