/**
 * PostgreSQL driver. Three kinds of connection: the app pool runs as role oars_app under row-level
 * security, the system pool and the committer's lanes as role oars_system. Statements of one transaction
 * are pipelined: sent without awaiting each, so a batch costs one round trip.
 */
import pg from "pg";
import { createChannels } from "./channels.ts";
import type { BatchStatement, Db, Driver, Scope } from "./port.ts";
import { carryOverPostgres } from "./postgres-channels.ts";
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
/** The committer only touches rows by key; a plan made while tables are small must stay right when they grow. */
const byKey = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

export async function openPostgres(options: PostgresOptions): Promise<Driver> {
  const onError = options.onError ?? (() => {});
  const pool = (role: string, max: number): pg.Pool => {
    const made = new pg.Pool({
      connectionString: options.url,
      max,
      types,
      options: `-c role=${role} ${guards}`,
      pipeline: true,
    } as pg.PoolConfig); // `pipeline` is newer than the type package
    made.on("error", onError);
    return made;
  };
  const app = pool("oars_app", options.poolSize);
  const system = pool("oars_system", Math.max(2, options.poolSize >> 1));
  const lanes = await openLanes(options, options.lanes ?? 2, onError);

  const query = async <Row>(statement: Sql) => (await system.query(toQuery(statement))).rows as Row[];

  return {
    kind: "postgres",
    lanes: lanes.count,
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

interface Lanes {
  readonly count: number;
  batch(lane: number, statements: readonly BatchStatement[]): Promise<void>;
  close(): Promise<void>;
}

async function openLanes(
  options: PostgresOptions,
  count: number,
  onError: (e: Error) => void,
): Promise<Lanes> {
  const open = async (): Promise<pg.Client> => {
    const client = new pg.Client({
      connectionString: options.url,
      types,
      options: `-c role=oars_system ${guards} ${byKey}`,
      pipeline: true,
    } as pg.ClientConfig); // `pipeline` is newer than the type package
    client.on("error", onError);
    await client.connect();
    return client;
  };
  const clients: (pg.Client | undefined)[] = await Promise.all(Array.from({ length: count }, open));
  return {
    count,
    batch: async (lane, statements) => {
      const client = clients[lane] ?? (await open());
      clients[lane] = client;
      try {
        await pipelined(client, statements);
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) {
          clients[lane] = undefined; // the connection is gone: the next batch opens another
          client.end().catch(() => {});
        }
        throw error;
      }
    },
    close: async () => {
      await Promise.all(clients.map((c) => c?.end()));
    },
  };
}

/** begin, statements, commit on the wire at once. After an error the server skips to the end and rolls back. */
async function pipelined(client: pg.Client, statements: readonly BatchStatement[]): Promise<void> {
  const stream = (client as unknown as { connection: { stream: { cork(): void; uncork(): void } } })
    .connection.stream; // not in the types
  stream.cork();
  const sent: Promise<unknown>[] = [client.query("begin")];
  for (const s of statements) {
    sent.push(client.query({ name: s.name, text: s.text, values: s.values as unknown[] })); // pg does not write to it
  }
  sent.push(client.query("commit"));
  stream.uncork();
  const results = await Promise.allSettled(sent);
  const failed = results.findIndex((r) => r.status === "rejected");
  if (failed < 0) return;
  const { reason } = results[failed] as PromiseRejectedResult; // found by status
  const statement = statements[failed - 1];
  if (statement && reason instanceof Error) Object.assign(reason, { statement: statement.name });
  throw reason;
}
