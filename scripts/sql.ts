/**
 * Answers questions about the embedded database of a stopped server: `npx node --conditions=oars-source
 * scripts/sql.ts < question.sql`. Takes the data directory's lock as the server does, so the two never open it at once, and reads alone:
 * a statement that writes is refused by the database. For PostgreSQL use psql.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { PGlite } from "@electric-sql/pglite";
import { lockDirectory } from "../apps/server/src/platform/db/index.ts";

/** Runs the statements one after the other and answers the rows of each. */
export async function askDatabase(db: PGlite, question: string): Promise<Record<string, unknown>[][]> {
  await db.exec("set default_transaction_read_only = off");
  await db.exec(await readFile(join(import.meta.dirname, "../docs/runbooks/ids.sql"), "utf8"));
  await db.exec("set default_transaction_read_only = on");
  const results = await db.exec(question);
  return results.filter((r) => r.fields.length > 0).map((r) => r.rows as Record<string, unknown>[]); // rows are objects unless asked otherwise
}

async function main(dataDir: string): Promise<void> {
  const lock = lockDirectory(dataDir);
  try {
    const db = await PGlite.create({ dataDir: join(dataDir, "db") });
    for (const rows of await askDatabase(db, await text(process.stdin))) {
      if (rows.length === 0) console.log("(no rows)");
      else console.table(rows);
    }
    await db.close();
  } finally {
    lock.release();
  }
}

if (import.meta.main) {
  await main(process.env.OARS_DATA_DIR ?? ".oars").catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
