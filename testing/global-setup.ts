import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import type { TestProject } from "vitest/node";
import {
  migrate,
  migrateServer,
  migrationsDir,
  ownerOfPglite,
  readMigrations,
} from "../apps/server/src/platform/db/index.ts";
import { findLeftovers } from "./leftovers.ts";
import { startPostgres } from "./postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Connection string of the test server without a database, and the file with the migrated PGlite image. */
    databases: { postgres: string; image: string };
  }
}

/**
 * One server for the whole run, one migrated template per driver; each test file clones its own. Temporary
 * directories of the tests lie in one of this run, which must be empty in the end.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), "oars-test-"));
  await chmod(dir, 0o711); // servers that tests start as another user go through it to their own folders
  const temporary = join(dir, "tmp");
  await mkdir(temporary);
  const migrations = await readMigrations(migrationsDir);
  const [server] = await Promise.all([
    startPostgres({ fsync: "off", full_page_writes: "off", autovacuum: "off" }).then(async (s) => {
      const admin = new pg.Client({ connectionString: s.url("postgres") });
      await admin.connect();
      await admin.query("create database template_oars");
      await admin.end();
      await migrateServer(s.url("template_oars"), migrations);
      return s;
    }),
    PGlite.create().then(async (template) => {
      await migrate(ownerOfPglite(template), migrations);
      await template.exec("checkpoint"); // so that no clone has anything to recover
      const image = await template.dumpDataDir("none");
      await writeFile(join(dir, "image.tar"), new Uint8Array(await image.arrayBuffer()));
      await template.close();
    }),
  ]);
  project.provide("databases", { postgres: server.url(""), image: join(dir, "image.tar") });
  process.env.TMPDIR = temporary; // for the workers, which start after this, and for what they start
  return async () => {
    await server.stop();
    const left = await findLeftovers(temporary);
    await rm(dir, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`the tests left behind: ${left.join(", ")}`);
  };
}
