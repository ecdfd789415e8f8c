import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { OarsError } from "#platform/kernel";
import type { CommitterOptions } from "./committer.ts";
import { overDriver } from "./database.ts";
import { type Migration, migrate, type OwnerConnection, readMigrations } from "./migrate.ts";
import { overPglite } from "./pglite.ts";
import { lockDirectory } from "./pid-lock.ts";
import { type Database, isOutage } from "./port.ts";
import { openPostgres } from "./postgres.ts";

export type Store =
  | { readonly kind: "pglite"; readonly dataDir: string }
  | { readonly kind: "postgres"; readonly url: string; readonly poolSize: number };

export interface OpenOptions extends CommitterOptions {
  readonly store: Store;
  readonly onError?: (error: Error) => void;
}

export const migrationsDir: string = fileURLToPath(new URL("../../../migrations", import.meta.url));

/** Opens the database, migrated. Errors: STORE_LOCKED, STORE_NEWER, STORE_UNAVAILABLE. */
export async function openDatabase(options: OpenOptions): Promise<Database> {
  const migrations = await readMigrations(migrationsDir);
  return options.store.kind === "pglite"
    ? openEmbedded(options.store.dataDir, migrations, options)
    : openServer(options.store, migrations, options);
}

async function openEmbedded(
  dataDir: string,
  migrations: readonly Migration[],
  options: OpenOptions,
): Promise<Database> {
  const lock = lockDirectory(dataDir);
  try {
    const pglite = await PGlite.create({ dataDir: join(dataDir, "db") });
    await migrate(ownerOfPglite(pglite), migrations);
    const database = overDriver(overPglite(pglite, options.onError), options);
    return {
      ...database,
      close: async () => {
        await database.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

export const ownerOfPglite = (pglite: PGlite): OwnerConnection => ({
  exec: async (text) => {
    await pglite.exec(text);
  },
  query: async <Row>(text: string, values?: unknown[]) => (await pglite.query<Row>(text, values)).rows,
});

async function openServer(
  store: { url: string; poolSize: number },
  migrations: readonly Migration[],
  options: OpenOptions,
): Promise<Database> {
  try {
    await migrateServer(store.url, migrations);
    const driver = await openPostgres({ ...store, ...(options.onError ? { onError: options.onError } : {}) });
    return overDriver(driver, options);
  } catch (cause) {
    if (isOutage(cause)) throw new OarsError("STORE_UNAVAILABLE", { seconds: 5 }, { cause });
    throw cause;
  }
}

/** Runs the migrations as the user of the connection string, who owns the schema. */
export async function migrateServer(url: string, migrations: readonly Migration[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {}); // the statement under way, or the next one, fails with it
  await client.connect();
  try {
    return await migrate(
      {
        exec: async (text) => {
          await client.query(text);
        },
        query: async <Row>(text: string, values?: unknown[]) =>
          (await client.query(text, values)).rows as Row[],
      },
      migrations,
    );
  } finally {
    await client.end();
  }
}
