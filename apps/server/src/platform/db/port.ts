import type { Channels } from "./channels.ts";
import type { Sql } from "./sql.ts";
import type { CommitResult, WriteSet } from "./write-set.ts";

/** Reads. Rows hold uuid as string, timestamptz as Date, jsonb parsed, int8 as number, bytea as Uint8Array. */
export interface Db {
  query<Row>(statement: Sql): Promise<Row[]>;
}

/** A transaction. `onCommit` callbacks run after it is durable and not at all when it rolls back. */
export interface Tx extends Db {
  readonly kind: "tx";
  onCommit(fn: () => void): void;
}

/** Work across tenants: login lookups, the claimer, the sequencer and the outbox, each in one named file. */
export interface SystemScope {
  query<Row>(statement: Sql): Promise<Row[]>;
  /** Retried on serialization failures and deadlocks, so `fn` must be repeatable. */
  tx<T>(fn: (tx: Tx) => Promise<T>): Promise<T>;
}

export interface Committer {
  /** Resolves when the write set is durable, or says which guard refused it. Database errors of this set throw. */
  commit(set: WriteSet): Promise<CommitResult>;
}

export interface Database {
  readonly kind: "pglite" | "postgres";
  /** Reads as one tenant, under row-level security, in one snapshotless transaction (read committed). */
  read<T>(tenantId: string, fn: (db: Db) => Promise<T>): Promise<T>;
  /** A transaction as one tenant, under row-level security. Retried like `system.tx`. */
  tx<T>(tenantId: string, fn: (tx: Tx) => Promise<T>): Promise<T>;
  readonly system: SystemScope;
  readonly committer: Committer;
  /**
   * Hears hints on a channel (a lower-case name) from every process, this one included, until the answer is
   * called. A hint may be lost or doubled; a listener that may have missed some is called once with "".
   */
  listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>>;
  /** Sends a hint of at most 200 bytes; see `Channels`. Never throws, never waits, is part of no transaction. */
  notify(channel: string, payload: string): void;
  /**
   * Frees the space of rows that are gone and renews the planner's figures, table by table. The embedded
   * database has no background process that does it; a server has, and there this does nothing.
   */
  tidy(tables: readonly string[]): Promise<void>;
  /** Waits for what is under way. Closing twice is closing once. */
  close(): Promise<void>;
}

/** What a driver must offer; everything else is built on it. */
export interface Driver {
  readonly kind: "pglite" | "postgres";
  transaction<T>(scope: Scope, fn: (db: Db) => Promise<T>): Promise<T>;
  /** A transaction that only reads: its answer need not wait for its end. */
  snapshot<T>(scope: Scope, fn: (db: Db) => Promise<T>): Promise<T>;
  query<Row>(statement: Sql): Promise<Row[]>;
  /** Runs the statements in one system transaction, in one round trip where the protocol allows it. */
  batch(lane: number, statements: readonly BatchStatement[]): Promise<void>;
  /** See `Database.tidy`. */
  tidy(tables: readonly string[]): Promise<void>;
  /** How many batches may be under way at once. */
  readonly lanes: number;
  readonly channels: Channels;
  close(): Promise<void>;
}

export type Scope = { readonly tenantId: string } | "system";

export interface BatchStatement extends Sql {
  /** Stable name under which the statement may be prepared. */
  readonly name: string;
  readonly values: readonly (string | number | null)[];
}

/** SQLSTATE of a database error, or undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** True when the transaction lost against another one and may simply run again. */
export const isTransient = (error: unknown): boolean => {
  const state = sqlState(error);
  return state === "40001" || state === "40P01";
};

/**
 * True when a prepared statement is gone or its columns are others now, as after a migration or behind a pooler:
 * prepared again, it works.
 */
export const isPlanStale = (error: unknown): boolean => {
  const state = sqlState(error);
  if (state === "26000") return true;
  return state === "0A000" && (error as { routine?: unknown }).routine === "RevalidateCachedQuery"; // protocol field
};

/** True when the session cannot write any more, as one of a server that became a standby. */
export const lacksWriter = (error: unknown): boolean => sqlState(error) === "25006";

/** True when the database was out of reach or out of room, so that the same work may succeed later. */
export function isOutage(error: unknown): boolean {
  const state = sqlState(error);
  if (lacksWriter(error)) return true;
  if (state !== undefined) return /^(08|40|53|57|58)/.test(state);
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return /^E[A-Z]+$/.test(code) || /connection|not queryable|timeout exceeded/i.test(error.message);
}

/** The unique constraint that an insert ran into, if that is what happened. */
export function uniqueViolation(error: unknown): string | undefined {
  if (sqlState(error) !== "23505") return undefined;
  const constraint = (error as { constraint?: unknown }).constraint; // pg and PGlite both carry the protocol's field
  return typeof constraint === "string" ? constraint : "";
}
