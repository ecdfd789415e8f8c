/** The PostgreSQL server that all contenders of a run share, each in a database of its own. */
import pg from "pg";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";

/** Everything else as PostgreSQL comes: fsync and synchronous_commit are on. */
const settings = { shared_buffers: "256MB", max_wal_size: "4GB" };

export interface Databases extends AsyncDisposable {
  readonly server: PostgresServer;
  /** Makes the database and answers with its URL. */
  create(name: string): Promise<string>;
  /** What the server says of itself. */
  facts(): Promise<Record<string, string>>;
}

export async function startDatabases(): Promise<Databases> {
  const server = await startPostgres(settings);
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
