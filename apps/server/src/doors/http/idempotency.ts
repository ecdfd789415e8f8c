import type { FastifyReply, FastifyRequest } from "fastify";
import type { Caller } from "#platform/access";
import { digestOf, OarsError } from "#platform/kernel";
import type { Input } from "./input.ts";
import type { Route } from "./route.ts";

/** What the door asks of the room that keeps keys. One reservation is held by one request at a time. */
export interface IdempotencyKeys {
  reserve(
    tenantId: string,
    principalId: string,
    route: string,
    key: string,
    fingerprint: string,
  ): Promise<
    | { kind: "fresh" }
    | { kind: "replay"; status: number; body: unknown }
    | { kind: "conflict" }
    | { kind: "in_progress" }
  >;
  complete(
    tenantId: string,
    principalId: string,
    route: string,
    key: string,
    answer: { status: number; body: unknown },
  ): Promise<void>;
  release(tenantId: string, principalId: string, route: string, key: string): Promise<void>;
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

export interface Kept {
  readonly body: unknown;
  readonly replayed: boolean;
}

/**
 * Runs a request under its key: the first one runs, the same request again gets the first one's answer,
 * another request under the key and a second one while the first still runs are refused with 409. A failed
 * request keeps nothing, so that it can be sent again.
 */
export async function underKey<S>(
  keys: IdempotencyKeys,
  at: { route: Route<S>; caller: Caller; key: string; input: Input; reply: FastifyReply },
  run: () => Promise<unknown>,
): Promise<unknown> {
  const { tenantId, principalId } = at.caller;
  const name = `${at.route.method} ${at.route.path}`;
  const fingerprint = digestOf({ route: name, ...jsonOf(at.input) });
  const held = await keys.reserve(tenantId, principalId, name, at.key, fingerprint);
  if (held.kind === "conflict") throw new OarsError("IDEMPOTENCY_CONFLICT");
  if (held.kind === "in_progress") throw new OarsError("IDEMPOTENCY_IN_PROGRESS", { seconds: 1 });
  if (held.kind === "replay") {
    at.reply.header("idempotency-replayed", "true");
    return held.body;
  }
  let body: unknown;
  try {
    body = await run();
  } catch (error) {
    await keys.release(tenantId, principalId, name, at.key);
    throw error;
  }
  const kept = at.route.replayable === undefined ? body : at.route.replayable(body);
  await keys.complete(tenantId, principalId, name, at.key, { status: at.route.answer.status, body: kept });
  return body;
}

/** The input without what JSON cannot hold, so that the same request has the same digest. */
const jsonOf = (input: Input): Record<string, unknown> => JSON.parse(JSON.stringify(input));
