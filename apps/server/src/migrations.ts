import type { Config } from "#platform/config";
import { migrateServer, migrationsDir, openDatabase, readMigrations } from "#platform/db";

/** Brings the configured database to this version; says which migrations ran. */
export async function migrateStore(config: Config): Promise<string> {
  if (config.store.kind === "pglite") {
    const db = await openDatabase({ store: config.store });
    await db.close();
    return "The embedded database is at this version.";
  }
  const ran = await migrateServer(config.store.url.reveal(), await readMigrations(migrationsDir));
  return ran.length === 0 ? "The database was at this version already." : `Ran ${ran.join(", ")}.`;
}
