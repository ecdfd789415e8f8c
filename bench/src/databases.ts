/** The PostgreSQL server that all contenders of a run share, each in a database of its own. */
import pg from "pg";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";

/** Everything else as PostgreSQL comes: fsync and synchronous_commit are on. */
const settings = { shared_buffers: "256MB", max_wal_size: "4GB" };
/** Statements are counted only where that is asked for: it costs a little of everything. */
const counting = { shared_preload_libraries: "pg_stat_statements", "pg_stat_statements.track": "none" };

export interface Databases extends AsyncDisposable {
  readonly server: PostgresServer;
  /** Makes the database and answers with its URL. */
  create(name: string): Promise<string>;
  /** The database's statements are counted for all who connect from now on. Only of a server that counts. */
  count(name: string): Promise<void>;
  /** How many statements the sessions of a counted database have run. */
  statements(name: string): Promise<number>;
  /** How often each statement was run in a counted database, by its first words. */
  calls(name: string): Promise<ReadonlyMap<string, number>>;
  /** What the server says of itself. */
  facts(): Promise<Record<string, string>>;
}

/** `counts`: the server can count statements (pg_stat_statements is loaded, and off until it is asked for). */
export async function startDatabases({ counts = false } = {}): Promise<Databases> {
  const server = await startPostgres({ ...settings, ...(counts ? counting : {}) });
  const admin = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: server.url("postgres") });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  return {
    server,
    create: async (name) => {
      await admin((client) => client.query(`create database ${client.escapeIdentifier(name)}`));
      return server.url(name);
    },
    count: (name) =>
      admin(async (client) => {
        await client.query("create extension if not exists pg_stat_statements");
        const database = client.escapeIdentifier(name);
        await client.query(`alter database ${database} set pg_stat_statements.track = 'top'`);
      }),
    statements: (name) =>
      admin(async (client) => {
        const { rows } = await client.query<{ n: string }>(
          `select coalesce(sum(s.calls), 0) as n from pg_stat_statements s
           join pg_database d on d.oid = s.dbid where d.datname = $1`,
          [name],
        );
        return Number(rows[0]?.n);
      }),
    calls: (name) =>
      admin(async (client) => {
        const { rows } = await client.query<{ statement: string; calls: string }>(
          `select left(regexp_replace(s.query, '\\s+', ' ', 'g'), 50) as statement, sum(s.calls) as calls
           from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = $1 group by 1`,
          [name],
        );
        return new Map(rows.map(({ statement, calls }) => [statement, Number(calls)]));
      }),
    facts: () =>
      admin(async (client) => {
        const { rows } = await client.query<{ name: string; value: string }>(
          `select name, current_setting(name) as value from pg_settings
           where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size')
           order by name`,
        );
        return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
      }),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
