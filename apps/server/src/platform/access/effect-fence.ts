/**
 * Ties what a request does to the reservation of its Idempotency-Key, without its services knowing of either. The first
 * transaction or write set that the request commits also marks the reservation, and commits only while that is still
 * its own. So one whose key was taken over, because it was thought dead, changes nothing any more; and one that died
 * after its effect is never run again.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  applyWrites,
  type CommitResult,
  type Database,
  defineWrite,
  FenceLost,
  type Tx,
  WriteSet,
} from "#platform/db";
import { OarsError } from "#platform/kernel";

interface MarkRow {
  tenant_id: string;
  principal_id: string;
  route: string;
  key: string;
  reservation: string;
}

/** Before all other writes: whoever lost the key waits for nothing. */
const markEffect = defineWrite<MarkRow>({
  name: "access.markEffect",
  order: 5,
  guard: true,
  columns: { tenant_id: "uuid", principal_id: "uuid", route: "text", key: "text", reservation: "uuid" },
  text: `/* access.markEffect */ update idempotency i set effect_at = coalesce(i.effect_at, clock_timestamp())
    from batch b where i.tenant_id = b.tenant_id and i.principal_id = b.principal_id and i.route = b.route
      and i.key = b.key and i.reservation = b.reservation returning 1`,
});

export interface Held {
  readonly tenantId: string;
  readonly principalId: string;
  readonly route: string;
  readonly key: string;
  readonly id: string;
}

interface Holding {
  readonly row: MarkRow;
  /** Marked, or the request is over: what goes on in its name in the background is no business of the key. */
  done: boolean;
}

export interface EffectFence {
  /** The database as the rooms use it. */
  wrap(db: Database): Database;
  /** Runs a request under its reservation. Throws IDEMPOTENCY_IN_PROGRESS when that was taken over before it did anything. */
  run<T>(reservation: Held, work: () => Promise<T>): Promise<T>;
}

export function createEffectFence(): EffectFence {
  const holdings = new AsyncLocalStorage<Holding>();
  const open = (): Holding | undefined => {
    const holding = holdings.getStore();
    return holding?.done === false ? holding : undefined;
  };

  /** The transaction with the mark as its last statement. */
  const marked =
    <T>(holding: Holding, fn: (tx: Tx) => Promise<T>) =>
    async (tx: Tx): Promise<T> => {
      const result = await fn(tx);
      if (holding.done) return result;
      await applyWrites(tx, new WriteSet().add(markEffect, holding.row));
      tx.onCommit(() => {
        holding.done = true;
      });
      return result;
    };
  const toTakenOver = (error: unknown): never => {
    if (error instanceof FenceLost && error.fence === markEffect.name) throw takenOver();
    throw error;
  };
  const commit = async (db: Database, holding: Holding, set: WriteSet): Promise<CommitResult> => {
    const done = await db.committer.commit(set.with(markEffect, holding.row));
    if (done.ok) holding.done = true;
    else if (done.fence === markEffect.name) throw takenOver();
    return done;
  };

  return {
    wrap: (db) => ({
      ...db,
      tx: (tenantId, fn) => {
        const holding = open();
        return holding ? db.tx(tenantId, marked(holding, fn)).catch(toTakenOver) : db.tx(tenantId, fn);
      },
      system: {
        query: (statement) => db.system.query(statement),
        tx: (fn) => {
          const holding = open();
          return holding ? db.system.tx(marked(holding, fn)).catch(toTakenOver) : db.system.tx(fn);
        },
      },
      committer: {
        commit: (set) => {
          const holding = open();
          return holding ? commit(db, holding, set) : db.committer.commit(set);
        },
      },
    }),
    run: async ({ tenantId, principalId, route, key, id }, work) => {
      const row = { tenant_id: tenantId, principal_id: principalId, route, key, reservation: id };
      const holding: Holding = { row, done: false };
      try {
        return await holdings.run(holding, work);
      } finally {
        holding.done = true;
      }
    },
  };
}

const takenOver = (): OarsError => new OarsError("IDEMPOTENCY_IN_PROGRESS", { seconds: 1 });
