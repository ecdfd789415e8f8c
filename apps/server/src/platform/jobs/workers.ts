/**
 * Worker registry: which processes are alive, by the database clock.
 * J3 a worker silent for `deadAfterMs` is declared dead once, by one process, and every death hook runs in
 *    that same transaction under the worker's exclusive lock.
 *    What a worker still took on after that, because it had been paused, is handed on by the same hooks when it
 *    stops or when another process starts: hooks must be repeatable.
 * J4 after its death is committed no batch that the worker fenced with `fence` can commit unchecked: batches
 *    hold the worker's lock shared, and read what they guard after taking it.
 */
import { hostname } from "node:os";
import { type Database, sql, type Tx } from "#platform/db";

export type DeathHook = (tx: Tx, workerId: string) => Promise<void>;

export interface Workers {
  /** Id of this process among the workers. */
  readonly id: string;
  onDeath(hook: DeathHook): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface WorkersDeps {
  /** Id of this process among the workers; its lock key is the committer's fence. */
  readonly id: string;
  readonly db: Database;
  /** Set when this process alone can hold the database: then every other worker is dead at the start. */
  readonly exclusive: boolean;
  readonly onError: (error: unknown) => void;
  /** This process was declared dead by another one (it had been paused): it must stop executing. */
  readonly onFenced: () => void;
  readonly beatMs?: number;
  readonly deadAfterMs?: number;
}

export function createWorkers(deps: WorkersDeps): Workers {
  const { id } = deps;
  const hooks: DeathHook[] = [];
  const beatMs = deps.beatMs ?? 10_000;
  const deadAfterMs = deps.deadAfterMs ?? 30_000;
  let timer: NodeJS.Timeout | undefined;
  let ticking: Promise<void> | undefined;

  const tick = async (): Promise<void> => {
    const beating = await beat(deps.db, id);
    if (!beating) return deps.onFenced();
    await reap(deps.db, id, deadAfterMs, hooks);
  };
  const loop = (): void => {
    timer = setTimeout(() => {
      ticking = tick()
        .catch(deps.onError)
        .finally(() => {
          if (timer) loop();
        });
    }, beatMs);
  };

  return {
    id,
    onDeath: (hook) => {
      hooks.push(hook);
    },
    start: async () => {
      await register(deps.db, id);
      for (const dead of await findDead(deps.db)) await runHooks(deps.db, dead.id, hooks);
      await reap(deps.db, id, deps.exclusive ? 0 : deadAfterMs, hooks);
      loop();
    },
    stop: async () => {
      clearTimeout(timer);
      timer = undefined;
      await ticking;
      await bury(deps.db, id, hooks);
    },
  };
}

const register = (db: Database, id: string): Promise<unknown> =>
  db.system.query(
    sql`/* jobs.registerWorker */ insert into worker (id, host, pid) values (${id}, ${hostname()}, ${process.pid})`,
  );

async function beat(db: Database, id: string): Promise<boolean> {
  const rows = await db.system.query(sql`/* jobs.beat */
    update worker set beat_at = now() where id = ${id} and dead_at is null returning id`);
  return rows.length === 1;
}

async function reap(
  db: Database,
  self: string,
  deadAfterMs: number,
  hooks: readonly DeathHook[],
): Promise<void> {
  const silent = await db.system.query<{ id: string }>(sql`/* jobs.findSilent */
    select id from worker where dead_at is null and id <> ${self}
      and beat_at <= now() - make_interval(secs => ${deadAfterMs / 1000})`);
  for (const worker of silent) await declareDead(db, worker.id, deadAfterMs, hooks);
}

/** Those that may have left something behind after their death was noted; older ones have nothing any more. */
const findDead = (db: Database): Promise<{ id: string }[]> =>
  db.system.query(sql`/* jobs.findDead */ select id from worker where dead_at > now() - interval '1 day'`);

const lock = (tx: Tx, id: string): Promise<unknown> =>
  tx.query(sql`/* jobs.lockWorker */ select pg_advisory_xact_lock(${workerLock(id)}::bigint)`);

const declareDead = (
  db: Database,
  id: string,
  deadAfterMs: number,
  hooks: readonly DeathHook[],
): Promise<void> =>
  db.system.tx(async (tx) => {
    await lock(tx, id);
    const died = await tx.query(sql`/* jobs.markDead */
      update worker set dead_at = now() where id = ${id} and dead_at is null
        and beat_at <= now() - make_interval(secs => ${deadAfterMs / 1000}) returning id`);
    if (died.length === 0) return; // it beat again, or another process was first
    for (const hook of hooks) await hook(tx, id);
  });

const runHooks = (db: Database, id: string, hooks: readonly DeathHook[]): Promise<void> =>
  db.system.tx(async (tx) => {
    await lock(tx, id);
    for (const hook of hooks) await hook(tx, id);
  });

/** A worker that leaves hands back what it holds in the same way, also when it was declared dead before. */
const bury = (db: Database, id: string, hooks: readonly DeathHook[]): Promise<void> =>
  db.system.tx(async (tx) => {
    await lock(tx, id);
    await tx.query(
      sql`/* jobs.leave */ update worker set dead_at = now() where id = ${id} and dead_at is null`,
    );
    for (const hook of hooks) await hook(tx, id);
  });

/** The advisory lock key of a worker: 63 bits of its id. */
export const workerLock = (id: string): string =>
  (BigInt(`0x${id.replaceAll("-", "").slice(16)}`) & 0x7fff_ffff_ffff_ffffn).toString();
