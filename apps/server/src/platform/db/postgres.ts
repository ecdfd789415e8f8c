/**
 * PostgreSQL driver. Three kinds of connection: the app pool runs as role oars_app under row-level
 * security, the system pool and the committer's lanes (postgres-lanes.ts) as role oars_system. What opens a
 * transaction is pipelined: sent without awaiting it, so that it costs no round trip of its own.
 */
import pg from "pg";
import { createChannels } from "./channels.ts";
import { type Db, type Driver, lacksWriter, type Scope } from "./port.ts";
import { carryOverPostgres } from "./postgres-channels.ts";
import { openLanes } from "./postgres-lanes.ts";
import type { Sql } from "./sql.ts";

export interface PostgresOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly lanes?: number;
  readonly onError?: (error: Error) => void;
}

/** int8 as number: counters and sizes here stay below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === 20 ? Number : (pg.types.getTypeParser(oid, format as "text") as unknown),
} as unknown as pg.CustomTypesConfig; // pg's type names an overload set that a plain function cannot state

const guards = "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000";
/** A peer that is gone without a word is noticed while nothing is asked of it. */
const alive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };
/**
 * The committer only touches rows by key; a plan made while tables are small must stay right when they grow. One plan
 * serves all batches: left to itself the server plans some statements again each time (parking a lone run: 0.65 ms of
 * its processor time instead of 0.35 ms).
 */
const byKey =
  "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan";

export async function openPostgres(options: PostgresOptions): Promise<Driver> {
  const onError = options.onError ?? (() => {});
  const pool = (role: string, max: number): pg.Pool => {
    const made = new pg.Pool({
      connectionString: options.url,
      max,
      types,
      options: `-c role=${role} ${guards}`,
      pipeline: true,
      ...alive,
    } as pg.PoolConfig); // `pipeline` is newer than the type package
    made.on("error", onError);
    // While it is lent out the pool does not hear it, and an error that nobody hears ends the process. Whoever
    // has the connection learns of it from the next statement.
    made.on("connect", (client) => client.on("error", () => {}));
    return made;
  };
  const app = pool("oars_app", options.poolSize);
  const system = pool("oars_system", Math.max(2, options.poolSize >> 1));
  const lanesCount = options.lanes ?? 2;
  const lanes = await openLanes({
    count: lanesCount,
    config: {
      connectionString: options.url,
      options: `-c role=oars_system ${guards} ${byKey}`,
      connectionTimeoutMillis: 10_000,
      ...alive,
    },
    onError,
  });

  const query = async <Row>(statement: Sql) => (await system.query(toQuery(statement))).rows as Row[];

  return {
    kind: "postgres",
    lanes: lanesCount,
    batch: lanes.batch,
    tidy: async () => {}, // autovacuum does it
    channels: createChannels(carryOverPostgres({ url: options.url, query, onError }), onError),
    query,
    transaction: (scope, fn) => transaction(scope === "system" ? system : app, scope, fn),
    snapshot: (scope, fn) => snapshot(scope === "system" ? system : app, scope, fn),
    close: async () => {
      await Promise.all([app.end(), system.end(), lanes.close()]);
    },
  };
}

const toQuery = (statement: Sql): { text: string; values: unknown[] } => ({
  text: statement.text,
  values: statement.values as unknown[], // pg does not write to it
});

/** Sent without waiting: the statements that follow queue up behind on the wire. */
function begin(client: pg.PoolClient, scope: Scope, how: "begin" | "begin read only"): Promise<unknown> {
  const sent: Promise<unknown>[] = [client.query(how)];
  if (scope !== "system") sent.push(client.query(enterTenant(scope.tenantId)));
  const opened = Promise.all(sent);
  opened.catch(() => {}); // awaited by the caller; its own statements fail with it
  return opened;
}

const enterTenant = (tenantId: string) => ({
  name: "db.enterTenant",
  text: "select set_config('app.tenant', $1, true)",
  values: [tenantId],
});

const over = (client: pg.PoolClient): Db => ({
  query: async <Row>(s: Sql) => (await client.query(toQuery(s))).rows as Row[],
});

async function transaction<T>(pool: pg.Pool, scope: Scope, fn: (db: Db) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const opened = begin(client, scope, "begin");
    const result = await fn(over(client));
    await opened;
    await client.query("commit");
    return result;
  } catch (error) {
    if (lacksWriter(error)) broken = error as Error; // a database error
    await client.query("rollback").catch((cause: Error) => {
      broken = cause;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** The connection goes back to the pool when the transaction has ended; the caller does not wait for that. */
async function snapshot<T>(pool: pg.Pool, scope: Scope, fn: (db: Db) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    const opened = begin(client, scope, "begin read only");
    const result = await fn(over(client));
    await opened;
    return result;
  } finally {
    client.query("commit").then(
      () => client.release(),
      (error: Error) => client.release(error),
    );
  }
}
