/**
 * Write sets: the rows that one caller wants durable together. The committer gathers the sets of many
 * callers and writes each kind of row with one statement over arrays, so that a transaction's cost is
 * shared. A guard is a write that must hit exactly one row for each of its rows; when it does not, the
 * whole set is refused and nothing of it is written.
 */
import type { BatchStatement, Tx } from "./port.ts";

export type ColumnType =
  | "uuid"
  | "text"
  | "int4"
  | "int8"
  | "bool"
  | "timestamptz"
  | "jsonb"
  | "bytea"
  | "float8";

export interface WriteSpec<Row> {
  readonly name: string;
  /** Place among the statements of a transaction: lower first. Keeps the lock order the same everywhere. */
  readonly order: number;
  readonly columns: { readonly [K in keyof Row]: ColumnType };
  /** Statement over the relation `batch b`; a guard's text ends with `returning 1`. */
  readonly text: string;
  readonly guard?: true;
}

export interface Write<Row> {
  readonly name: string;
  readonly order: number;
  readonly guard: boolean;
  readonly columns: readonly (readonly [keyof Row & string, ColumnType])[];
  readonly text: string;
}

export type CommitResult = { readonly ok: true } | { readonly ok: false; readonly fence: string };

/** A guard did not hold inside a caller's own transaction; the transaction rolls back. */
export class FenceLost extends Error {
  readonly fence: string;
  constructor(fence: string) {
    super(`guard ${fence} did not hold`);
    this.name = "FenceLost";
    this.fence = fence;
  }
}

export function defineWrite<Row>(spec: WriteSpec<Row>): Write<Row> {
  const columns = Object.entries(spec.columns) as [keyof Row & string, ColumnType][]; // keys of the row type
  const source = columns
    .map(([, type], i) =>
      type === "jsonb" ? `jsonb_array_elements($${i + 1}::jsonb)` : `unnest($${i + 1}::${type}[])`,
    )
    .join(", ");
  const names = columns.map(([name]) => name).join(", ");
  const picked = columns
    .map(([name, type]) => (type === "jsonb" ? `nullif(r.${name}, 'null'::jsonb) as ${name}` : `r.${name}`))
    .join(", ");
  const batch = `batch as (select ${picked} from rows from (${source}) as r(${names}))`;
  const text = spec.guard
    ? `with ${batch}, hit as (${spec.text}) select oars_fence((select count(*) from hit), $${columns.length + 1}::int8)`
    : `with ${batch} ${spec.text}`;
  return { name: spec.name, order: spec.order, guard: spec.guard === true, columns, text };
}

type AnyWrite = Write<never>;
type AnyRow = Readonly<Record<string, unknown>>;
export type Rows = Map<AnyWrite, AnyRow[]>;

export class WriteSet {
  /** Rows by write, for the committer. */
  readonly rows: Rows = new Map();
  readonly callbacks: (() => void)[] = [];

  add<Row>(write: Write<Row>, row: Row): this {
    const key = write as unknown as AnyWrite; // the row type is only checked here, where the row enters
    const list = this.rows.get(key);
    if (list) list.push(row as AnyRow);
    else this.rows.set(key, [row as AnyRow]);
    return this;
  }

  /** A copy with one row more; this set stays as it is. */
  with<Row>(write: Write<Row>, row: Row): WriteSet {
    return new WriteSet().merge(this).add(write, row);
  }

  merge(other: WriteSet): this {
    for (const [write, rows] of other.rows) {
      const list = this.rows.get(write);
      if (list) list.push(...rows);
      else this.rows.set(write, [...rows]);
    }
    this.callbacks.push(...other.callbacks);
    return this;
  }

  /** Runs after the set is durable; never when it is refused. */
  onCommit(fn: () => void): this {
    this.callbacks.push(fn);
    return this;
  }

  get empty(): boolean {
    return this.rows.size === 0;
  }
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

function element(type: ColumnType, value: unknown): string {
  if (value === null || value === undefined) return type === "jsonb" ? "null" : "NULL";
  switch (type) {
    case "text":
      return quoted(value as string); // the write's row type says so
    case "timestamptz":
      return quoted(value instanceof Date ? value.toISOString() : String(value));
    case "bytea":
      return `"\\\\x${Buffer.from(value as Uint8Array).toString("hex")}"`; // the write's row type says so
    default:
      return String(value);
  }
}

function column(type: ColumnType, name: string, rows: readonly AnyRow[]): string {
  let out = type === "jsonb" ? "[" : "{";
  for (let i = 0; i < rows.length; i++) out += (i > 0 ? "," : "") + element(type, (rows[i] as AnyRow)[name]);
  return out + (type === "jsonb" ? "]" : "}");
}

/** The statement that writes these rows of one kind. */
export function toStatement(write: AnyWrite, rows: readonly AnyRow[]): BatchStatement {
  const values: (string | number)[] = write.columns.map(([name, type]) => column(type, name, rows));
  if (write.guard) values.push(rows.length);
  return { name: write.name, text: write.text, values };
}

/** Statements of many sets, in lock order. */
export function toStatements(sets: readonly WriteSet[]): BatchStatement[] {
  const all: Rows = new Map();
  for (const set of sets) {
    for (const [write, rows] of set.rows) {
      const list = all.get(write);
      if (list) for (const row of rows) list.push(row);
      else all.set(write, sets.length === 1 ? rows : [...rows]);
    }
  }
  return [...all].sort(([a], [b]) => a.order - b.order).map(([write, rows]) => toStatement(write, rows));
}

/** SQLSTATE that `oars_fence` raises. */
export const fenceState = "OA001";

/** The same writes inside a caller's transaction. Throws FenceLost when a guard does not hold. */
export async function applyWrites(tx: Tx, set: WriteSet): Promise<void> {
  for (const statement of toStatements([set])) {
    try {
      await tx.query(statement);
    } catch (error) {
      if ((error as { code?: unknown }).code === fenceState) throw new FenceLost(statement.name); // protocol field
      throw error;
    }
  }
  for (const fn of set.callbacks) tx.onCommit(fn);
}
