/** A worker that a trial may end, rob or mislead at any of its writes. */
import { type Database, openDatabase, type Sql, type Tx } from "#platform/db";
import { workerLock } from "#platform/jobs";
import { type FaultPoint, newId } from "#platform/kernel";
import type { App } from "../compose.ts";
import { joinTestApp } from "./app.ts";
import type { TestDatabase } from "./index.ts";

/**
 * What becomes of a write: it goes through, the worker dies before or after it, the database is out of reach, or
 * only its answer is lost.
 */
export type Fate = "done" | "die-before" | "die-after" | "fail" | "lose-answer";

export interface TrialWorker {
  readonly id: string;
  readonly app: App;
  readonly dead: () => boolean;
  /** As if its power had gone: nothing that it still does reaches the database. */
  cut(): void;
  /** Ends it, however it stands. */
  stop(): Promise<void>;
}

export interface WorkerHooks {
  /** Asked before each write. */
  readonly fate: (worker: string, statement: string) => Fate;
  /** Whether it dies at this hit of the point. */
  readonly kills: (point: FaultPoint) => boolean;
  /** It died, or was declared dead. */
  readonly onDeath: (worker: string) => void;
}

/** What a process that dies at a point does next, as far as the rest of this process can tell. */
export class KilledAt extends Error {
  constructor(point: FaultPoint) {
    super(`killed at ${point}`);
    this.name = "KilledAt";
  }
}

export async function startTrialWorker(opened: TestDatabase, hooks: WorkerHooks): Promise<TrialWorker> {
  const id = newId();
  const own =
    opened.url === null
      ? opened.database
      : await openDatabase({
          store: { kind: "postgres", url: opened.url, poolSize: 5 },
          fenceKey: workerLock(id),
        });
  let dead = false;
  const cut = (): void => {
    if (dead) return;
    dead = true;
    hooks.onDeath(id);
  };
  const db = misled(own, { fate: (statement) => hooks.fate(id, statement), isDead: () => dead, die: cut });
  const env = {
    OARS_WORKER_DEAD_AFTER_MS: "600",
    OARS_SHUTDOWN_TIMEOUT_MS: "200",
    OARS_RUN_RECEIPTS: "all",
    OARS_BREAKER_FAILURES: "0", // every refusal is one that the plan foresees
    ...(opened.url === null ? {} : { OARS_STORE: "postgres", OARS_POSTGRES_URL: opened.url }),
  };
  const fault = (point: FaultPoint): void => {
    if (dead || !hooks.kills(point)) return;
    cut();
    throw new KilledAt(point);
  };
  const app = await joinTestApp(db, { env, workerId: id, onFenced: cut, fault });
  await app.start().catch(cut); // a process whose start fails ends
  return {
    id,
    app,
    dead: () => dead,
    cut,
    stop: async () => {
      await app.stop().catch(() => {}); // one that is cut off cannot say goodbye
      if (opened.url !== null) await own.close();
    },
  };
}

interface Misleading {
  readonly fate: (statement: string) => Fate;
  readonly isDead: () => boolean;
  readonly die: () => void;
}

const gone = (): Error => new Error("this worker is gone");
const outage = (): Error => Object.assign(new Error("the connection was lost"), { code: "ECONNRESET" });

function misled(db: Database, { fate, isDead, die }: Misleading): Database {
  const alive = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isDead()) throw gone();
    const result = await work();
    if (isDead()) throw gone();
    return result;
  };
  const write = async <T>(statement: string, work: () => Promise<T>): Promise<T> => {
    if (isDead()) throw gone();
    const become = fate(statement);
    if (become === "die-before") die();
    if (become === "fail") throw outage();
    const result = await alive(work);
    if (become === "die-after") die();
    if (become === "lose-answer") throw outage();
    return alive(() => Promise.resolve(result));
  };
  const isWrite = (statement: Sql): boolean => /\b(?:insert into|update|delete from) /.test(statement.text);
  const tagOf = (statement: Sql): string => /\/\* ([\w.-]+) \*\//.exec(statement.text)?.[1] ?? "?";
  /** Named by the first write in it; its fate is known by then, and is met at its end. */
  const within = <T>(transact: (fn: (tx: Tx) => Promise<T>) => Promise<T>, fn: (tx: Tx) => Promise<T>) => {
    let become: Fate = "done";
    const work = transact((tx) => {
      become = "done";
      let first = true;
      const query: Tx["query"] = async (statement) => {
        if (isDead()) throw gone();
        if (first && isWrite(statement)) {
          first = false;
          become = fate(tagOf(statement));
          if (become === "die-before") die();
          if (become === "fail") throw outage();
        }
        return alive(() => tx.query(statement));
      };
      return fn({ ...tx, query });
    });
    return work.then((result) => {
      if (isDead()) throw gone();
      if (become === "die-after") die();
      if (become === "lose-answer") throw outage();
      return result;
    });
  };
  return {
    ...db,
    read: (tenantId, fn) => alive(() => db.read(tenantId, fn)),
    tx: (tenantId, fn) => within((f) => db.tx(tenantId, f), fn),
    system: {
      query: (statement) =>
        isWrite(statement)
          ? write(tagOf(statement), () => db.system.query(statement))
          : alive(() => db.system.query(statement)),
      tx: (fn) => within((f) => db.system.tx(f), fn),
    },
    committer: {
      commit: (set) =>
        write([...set.rows.keys()].map((w) => w.name).join("+"), () => db.committer.commit(set)),
    },
    notify: (channel, payload) => {
      if (!isDead()) db.notify(channel, payload);
    },
    listen: (channel, fn) => db.listen(channel, (payload) => (isDead() ? undefined : fn(payload))),
    close: async () => {},
  };
}
