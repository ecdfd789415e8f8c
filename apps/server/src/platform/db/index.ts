export type { CommitObserver } from "./committer.ts";
export { overDriver } from "./database.ts";
export { type Migration, migrate, readMigrations } from "./migrate.ts";
export { dropMonth, listMonths, type Month, openMonths } from "./months.ts";
export {
  migrateServer,
  migrationsDir,
  type OpenOptions,
  openDatabase,
  ownerOfPglite,
  type Store,
} from "./open.ts";
export { overPglite } from "./pglite.ts";
export { lockDirectory } from "./pid-lock.ts";
export {
  type Committer,
  type Database,
  type Db,
  type Driver,
  isOutage,
  sqlState,
  type Tx,
  uniqueViolation,
} from "./port.ts";
export { openPostgres } from "./postgres.ts";
export { nothing, type Sql, sql } from "./sql.ts";
export { applyWrites, type CommitResult, defineWrite, FenceLost, type Write, WriteSet } from "./write-set.ts";
