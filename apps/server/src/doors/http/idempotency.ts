import type { FastifyReply, FastifyRequest } from "fastify";
import type { Caller, Idempotency, Reserved } from "#platform/access";
import { digestOf, isOarsError, OarsError } from "#platform/kernel";
import type { Input } from "./input.ts";
import type { Route } from "./route.ts";

export interface IdempotencyKeys
  extends Pick<Idempotency, "reserve" | "complete" | "release" | "renew" | "run"> {
  /** How long a duplicate waits for the answer of the first; 10,000 when absent. */
  readonly waitMs?: number;
}

const shape = /^[\x21-\x7e]{1,255}$/;

/** The request's Idempotency-Key, or undefined. Throws REQUEST_INVALID when it is not 1-255 visible ASCII. */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key === "string" && shape.test(key)) return key;
  const message = "must be 1 to 255 visible ASCII characters without spaces, sent once";
  throw new OarsError(
    "REQUEST_INVALID",
    {},
    { errors: [{ path: "header.idempotency-key", code: "invalid_format", message }] },
  );
}

interface At<S> {
  readonly route: Route<S>;
  readonly caller: Caller;
  readonly key: string;
  readonly input: Input;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/**
 * Runs a request under its key: the first one runs, the same request again gets the first one's answer, waiting for it
 * where it still runs, and another request under the key is refused with 409. A failed request keeps nothing, so that
 * it can be sent again; one that broke down after it took effect, or whose answer could not be kept, is not run again.
 */
export async function underKey<S>(
  keys: IdempotencyKeys,
  at: At<S>,
  run: () => Promise<unknown>,
): Promise<unknown> {
  const held = await reserved(keys, at);
  if (held.kind === "replay") {
    at.reply.header("idempotency-replayed", "true");
    return held.body;
  }
  const { reservation } = held;
  const renewal = setInterval(() => {
    keys
      .renew(reservation)
      .catch((err: unknown) => at.request.log.warn({ err }, "an Idempotency-Key was not renewed"));
  }, renewMs);
  try {
    const body = await keys.run(reservation, run).catch(async (error: unknown) => {
      await keys.release(reservation, { evenAfterEffect: isOarsError(error) && error.status < 500 });
      throw error;
    });
    const kept = at.route.replayable === undefined ? body : at.route.replayable(body);
    const answer = { status: at.route.answer.status, body: plainJson(kept ?? null) };
    await keys.complete(reservation, answer).catch((err: unknown) => {
      at.request.log.error({ err }, "the answer was not kept under its Idempotency-Key");
    });
    return body;
  } finally {
    clearInterval(renewal);
  }
}

/** A third of the time after which a reservation is taken for abandoned. */
const renewMs = 20_000;
const slowestMs = 500;

/** The reservation, or the answer of whoever had it first: waited for, with growing pauses. */
async function reserved<S>(
  keys: IdempotencyKeys,
  at: At<S>,
): Promise<Extract<Reserved, { readonly kind: "fresh" | "replay" }>> {
  const { tenantId, principalId } = at.caller;
  const name = `${at.route.method} ${at.route.path}`;
  const fingerprint = digestOf(plainJson({ route: name, ...at.input }));
  const deadline = performance.now() + (keys.waitMs ?? 10_000);
  for (let pause = 20; ; pause = Math.min(slowestMs, pause * 2)) {
    const held = await keys.reserve(tenantId, principalId, name, at.key, fingerprint);
    switch (held.kind) {
      case "fresh":
      case "replay":
        return held;
      case "conflict":
        throw new OarsError("IDEMPOTENCY_CONFLICT");
      case "lost":
        throw new OarsError("IDEMPOTENCY_ANSWER_LOST");
      case "in_progress":
        if (performance.now() + pause > deadline || at.reply.raw.destroyed)
          throw new OarsError("IDEMPOTENCY_IN_PROGRESS", { seconds: held.retryAfterSeconds });
    }
    await new Promise((done) => setTimeout(done, pause * (0.5 + Math.random())));
  }
}

/** As JSON gives it back: without undefined, which has no digest. */
const plainJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
