import type { FastifyReply, FastifyRequest } from "fastify";
import type { Caller, Idempotency } from "#platform/access";
import { digestOf, OarsError } from "#platform/kernel";
import type { Input } from "./input.ts";
import type { Route } from "./route.ts";

export type IdempotencyKeys = Pick<Idempotency, "reserve" | "complete" | "release">;

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

/**
 * Runs a request under its key: the first one runs, the same request again gets the first one's answer,
 * another request under the key and a second one while the first still runs are refused with 409. A failed
 * request keeps nothing, so that it can be sent again. Should the answer of one that succeeded not be kept,
 * its caller gets it all the same, and the key comes free after a minute.
 */
export async function underKey<S>(
  keys: IdempotencyKeys,
  at: {
    route: Route<S>;
    caller: Caller;
    key: string;
    input: Input;
    request: FastifyRequest;
    reply: FastifyReply;
  },
  run: () => Promise<unknown>,
): Promise<unknown> {
  const { tenantId, principalId } = at.caller;
  const name = `${at.route.method} ${at.route.path}`;
  const fingerprint = digestOf(plainJson({ route: name, ...at.input }));
  const held = await keys.reserve(tenantId, principalId, name, at.key, fingerprint);
  switch (held.kind) {
    case "conflict":
      throw new OarsError("IDEMPOTENCY_CONFLICT");
    case "in_progress":
      throw new OarsError("IDEMPOTENCY_IN_PROGRESS", { seconds: held.retryAfterSeconds });
    case "replay":
      at.reply.header("idempotency-replayed", "true");
      return held.body;
  }
  const body = await run().catch(async (error: unknown) => {
    await keys.release(held.reservation);
    throw error;
  });
  const kept = at.route.replayable === undefined ? body : at.route.replayable(body);
  const answer = { status: at.route.answer.status, body: plainJson(kept ?? null) };
  await keys.complete(held.reservation, answer).catch((err: unknown) => {
    at.request.log.error({ err }, "the answer was not kept under its Idempotency-Key");
  });
  return body;
}

/** As JSON gives it back: without undefined, which has no digest. */
const plainJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
