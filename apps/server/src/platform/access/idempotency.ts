/**
 * Idempotency-Key: of all requests of one principal with the same key on the same route, one runs.
 *
 * I1  While a request runs, others with its key are told to wait.
 * I2  Once it is answered, others with its key and fingerprint get that answer, for 24 hours.
 * I3  Its key with another fingerprint is a conflict.
 * I4  A reservation that nobody completed, released or renewed for 60 s (database clock) is taken over by the
 *     next request; whoever held it can no longer complete it, nor change anything.
 * I5  A request that committed something is not run again, also when its answer is lost: the mark is in the
 *     transaction of the effect.
 *
 * Answers are sealed: they may hold what a connector returned.
 */
import type { Database, Tx } from "#platform/db";
import { newId, sha256 } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { refuse } from "./domain.ts";
import type { EffectFence } from "./effect-fence.ts";
import {
  completeRow,
  findRow,
  type IdempotencyKey,
  purgeRows,
  releaseRow,
  renewRow,
  reserveRow,
} from "./idempotency-store.ts";

export interface Answer {
  readonly status: number;
  /** Those that a replay must repeat. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A JSON value; a text that must come back byte for byte is one too. */
  readonly body: unknown;
}

export interface Reservation extends IdempotencyKey {
  readonly id: string;
}

export type Reserved =
  | { readonly kind: "fresh"; readonly reservation: Reservation }
  | ({ readonly kind: "replay" } & Answer)
  | { readonly kind: "conflict" }
  | { readonly kind: "in_progress"; readonly retryAfterSeconds: number }
  /** It took effect, and its answer is lost. */
  | { readonly kind: "lost" };

export interface Idempotency {
  /** Throws REQUEST_INVALID when the key is not 1 to 256 visible characters. */
  reserve(
    tenantId: string,
    principalId: string,
    route: string,
    key: string,
    fingerprint: string,
  ): Promise<Reserved>;
  /**
   * Keeps the answer; false when the reservation was taken over. Pass the transaction of the effect and both
   * are durable together.
   */
  complete(reservation: Reservation, answer: Answer, within?: Tx): Promise<boolean>;
  /** For a request that takes long: call it well within 60 s; false when the reservation was taken over. */
  renew(reservation: Reservation): Promise<boolean>;
  /**
   * Gives the key back, for a request that failed. One that took effect keeps it, unless the failure is its answer
   * (`evenAfterEffect`).
   */
  release(reservation: Reservation, how?: { readonly evenAfterEffect: boolean }): Promise<void>;
  /** Runs the request that holds the reservation: see `EffectFence`. */
  run<T>(reservation: Reservation, work: () => Promise<T>): Promise<T>;
  /** Deletes up to `limit` rows of any tenant that no longer matter and says how many. */
  purge(limit: number): Promise<number>;
}

/** `db` is the database itself, not as the fence wraps it: what is kept of a request is no effect of it. */
export function createIdempotency(deps: {
  db: Database;
  vault: Vault;
  fence: Pick<EffectFence, "run">;
}): Idempotency {
  const { db, vault, fence } = deps;
  const purposeOf = (k: IdempotencyKey): string => `idempotency/${k.principalId}/${k.route}/${k.key}`;

  const look = async (k: IdempotencyKey, fingerprint: string): Promise<Reserved | undefined> => {
    const [row] = await db.read(k.tenantId, (tenantDb) => findRow(tenantDb, k));
    if (!row) return undefined;
    if (row.fingerprint !== fingerprint) return { kind: "conflict" };
    if (row.lost) return { kind: "lost" };
    if (row.status === null || row.answer === null) {
      return { kind: "in_progress", retryAfterSeconds: row.waitSeconds };
    }
    const plain = Buffer.from(await vault.open(k.tenantId, purposeOf(k), row.answer)).toString("utf8");
    const { headers, body } = JSON.parse(plain) as Required<Pick<Answer, "headers" | "body">>; // sealed by `complete` below
    return { kind: "replay", status: row.status, headers, body };
  };

  return {
    reserve: async (tenantId, principalId, route, key, fingerprint) => {
      if (!/^[\x21-\x7e]{1,256}$/.test(key))
        refuse("headers.idempotency-key", "must be 1 to 256 visible characters");
      const k: IdempotencyKey = { tenantId, principalId, route, key };
      for (let attempt = 0; attempt < 10; attempt++) {
        const id = newId();
        if (await db.tx(tenantId, (tx) => reserveRow(tx, k, fingerprint, id))) {
          return { kind: "fresh", reservation: { ...k, id } };
        }
        const found = await look(k, fingerprint);
        if (found) return found;
        // The row was released between the two statements: the key is free again.
      }
      return { kind: "in_progress", retryAfterSeconds: 1 };
    },
    complete: async (r, answer, within) => {
      const sealer = await vault.sealer(r.tenantId, within);
      const plain = Buffer.from(JSON.stringify({ headers: answer.headers ?? {}, body: answer.body ?? null }));
      const row = { status: answer.status, sealed: sealer.seal(purposeOf(r), plain) };
      const write = (tx: Tx): Promise<boolean> => completeRow(tx, r, r.id, row);
      return within ? write(within) : db.tx(r.tenantId, write);
    },
    renew: (r) => db.tx(r.tenantId, (tx) => renewRow(tx, r, r.id)),
    release: async (r, how = { evenAfterEffect: true }) => {
      await db.tx(r.tenantId, (tx) => releaseRow(tx, r, r.id, how.evenAfterEffect));
    },
    run: (r, work) => fence.run(r, work),
    purge: (limit) => db.system.tx((tx) => purgeRows(tx, limit)),
  };
}

/** What makes two requests the same one: method, path with query, and the bytes of the body. */
export const fingerprintOf = (method: string, path: string, body: string | Uint8Array): string =>
  sha256(Buffer.concat([Buffer.from(`${method.toUpperCase()} ${path}\0`), Buffer.from(body)])).toString(
    "hex",
  );
