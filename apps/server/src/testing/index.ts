/**
 * Databases for tests: the same test runs on PGlite and on a real PostgreSQL server.
 *
 *   describe.each(drivers)("approvals on %s", (driver) => {
 *     const db = useDatabase(driver);          // one clone of the migrated template per describe
 *     it("…", async () => { await db().tx(tenantId, …) });
 *   });
 */
import pg from "pg";
import { afterAll, beforeAll, inject } from "vitest";
import { type Database, type Driver, openPostgres, overDriver, overPglite } from "#platform/db";
import { newId } from "#platform/kernel";
import { openImage } from "./pglite-image.ts";

export { until } from "./until.ts";

export const drivers = ["pglite", "postgres"] as const;
export type DriverName = (typeof drivers)[number];

export interface TestDatabase {
  readonly database: Database;
  /** What is below it, for tests of the port itself. */
  readonly driver: Driver;
  /** Connection string of the clone, for tests that open further connections or processes. Only on postgres. */
  readonly url: string | null;
  close(): Promise<void>;
}

/** `schema` is SQL that the owner of the schema runs once, for tables that only the test has. */
export function useDatabase(driver: DriverName, schema = ""): () => Database {
  let opened: TestDatabase | undefined;
  beforeAll(async () => {
    opened = await openTestDatabase(driver, schema);
  });
  afterAll(async () => {
    await opened?.close();
  });
  return () => {
    if (!opened) throw new Error("the database opens in beforeAll");
    return opened.database;
  };
}

export const openTestDatabase = (driver: DriverName, schema = ""): Promise<TestDatabase> =>
  driver === "pglite" ? cloneImage(schema) : cloneTemplate(schema);

async function cloneImage(schema: string): Promise<TestDatabase> {
  const pglite = await openImage(inject("databases").image);
  if (schema) await pglite.exec(schema);
  const driver = overPglite(pglite);
  const database = overDriver(driver);
  return { database, driver, url: null, close: () => database.close() };
}

async function cloneTemplate(schema: string): Promise<TestDatabase> {
  const name = `test_${newId().replaceAll("-", "")}`;
  const base = inject("databases").postgres;
  const admin = async (text: string, on = "postgres"): Promise<void> => {
    const client = new pg.Client({ connectionString: `${base}${on}` });
    await client.connect();
    await client.query(text);
    await client.end();
  };
  await admin(`create database ${name} template template_oars strategy file_copy`);
  if (schema) await admin(schema, name);
  const url = `${base}${name}`;
  const driver = await openPostgres({ url, poolSize: 8 });
  const database = overDriver(driver);
  return {
    database,
    driver,
    url,
    close: async () => {
      await database.close();
      await admin(`drop database ${name} with (force)`);
    },
  };
}

/** Loaded by the tests that need them: their SDKs are large. */
export const mcpPeers = () => import("./mcp-peers.ts");
