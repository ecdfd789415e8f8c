/** Batches of whole runs as plain statements over arrays: the least that a database can be asked for these rows. */
import { newId } from "../../../apps/server/src/platform/kernel/index.ts";
import { shapes } from "./runs.ts";

/** Runs one statement as a transaction of its own; `name` is the same for the same text. */
export type Execute = (name: string, text: string, values: string[]) => Promise<void>;

export interface RawWriter {
  /** Five commits, each after the one before: the first step with the run's row, the last one with its end. */
  inFive(runs: number): Promise<void>;
  /** All rows of the runs in one commit. */
  atOnce(runs: number): Promise<void>;
}

/** A value that is the same in every row, or of each row. */
type Column = readonly [name: string, type: string, value: string | ((index: number) => string)];

/** Of this moment, in every row; not kept among the literals that never change. */
const timeNow = (): (() => string) => {
  const text = `"${new Date().toISOString()}"`;
  return () => text;
};

const tenant = newId();
const principal = newId();
const hash = `sha256:${"0".repeat(64)}`;

const runColumns = (status: "running" | "completed"): Column[] => [
  ["tenant_id", "uuid", tenant],
  ["flow_name", "text", "five-barriers"],
  ["flow_version", "text", "1.0.0"],
  ["flow_hash", "text", hash],
  ["status", "text", status],
  ["principal_id", "uuid", principal],
  ["params", "jsonb", '"{}"'],
  ["trigger", "jsonb", '"{}"'],
  ["priority", "int4", "0"],
  ["lease_worker", "uuid", status === "running" ? principal : "NULL"],
  ["lease_epoch", "int4", "1"],
  ["last_seq", "int4", status === "running" ? "0" : String(shapes.five)],
];
const journalColumns = (step: (index: number) => number, at: Column[2]): Column[] => [
  ["tenant_id", "uuid", tenant],
  ["step", "text", (i) => `step-${step(i)}`],
  ["iteration", "int4", "0"],
  ["attempt", "int4", "1"],
  ["event", "text", "completed"],
  ["seq", "int4", (i) => String(step(i) + 1)],
  ["at", "timestamptz", at],
  ["ms", "int4", "0"],
];

/** `$from` is the array of ids, the columns follow it. */
const insert = (table: string, id: string, columns: readonly Column[], from: number): string => {
  const names = columns.map(([name]) => name).join(", ");
  const arrays = [`$${from}::uuid[]`, ...columns.map(([, type], i) => `$${from + i + 1}::${type}[]`)];
  return `insert into ${table} (${id}, ${names}) select * from unnest(${arrays.join(", ")})`;
};
const finish = (from: number): string =>
  `update run r set status = 'completed', lease_worker = null, last_seq = b.last_seq, ended_at = now()
   from unnest($${from}::uuid[], $${from + 1}::uuid[], $${from + 2}::int4[]) as b (tenant_id, id, last_seq)
   where r.tenant_id = b.tenant_id and r.id = b.id`;

/** Array literals; that of a column which never changes is made once for each length. */
function createLiterals() {
  const made = new Map<string, string>();
  const literal = (value: Column[2], count: number): string => {
    if (typeof value !== "string") return `{${Array.from({ length: count }, (_, i) => value(i)).join(",")}}`;
    const key = `${count} ${value}`;
    const known = made.get(key) ?? `{${Array(count).fill(value).join(",")}}`;
    made.set(key, known);
    return known;
  };
  const rows = (ids: readonly string[], columns: readonly Column[]): string[] => [
    `{${ids.join(",")}}`,
    ...columns.map(([, , value]) => literal(value, ids.length)),
  ];
  return { literal, rows };
}

export function createRawWriter(execute: Execute): RawWriter {
  const newIds = (runs: number): string[] => Array.from({ length: runs }, newId);
  const texts = statements();
  const { literal, rows } = createLiterals();
  return {
    inFive: async (runs) => {
      const ids = newIds(runs);
      const now = timeNow();
      const entries = (step: number): string[] =>
        rows(
          ids,
          journalColumns(() => step, now),
        );
      await execute("raw.once", texts.once, [...rows(ids, runColumns("running")), ...entries(0)]);
      for (let step = 1; step < shapes.five - 1; step++) await execute("raw.step", texts.step, entries(step));
      const last = entries(shapes.five - 1);
      const end = [literal(tenant, runs), `{${ids.join(",")}}`, literal(String(shapes.five), runs)];
      await execute("raw.end", texts.end, [...last, ...end]);
    },
    atOnce: async (runs) => {
      const ids = newIds(runs);
      const now = timeNow();
      const entries = ids.flatMap((id) => Array<string>(shapes.five).fill(id));
      const journal = journalColumns((i) => i % shapes.five, now);
      await execute("raw.once", texts.once, [
        ...rows(ids, runColumns("completed")),
        ...rows(entries, journal),
      ]);
    },
  };
}

function statements(): { step: string; end: string; once: string } {
  const run = runColumns("running");
  const journal = journalColumns(() => 0, "");
  return {
    step: insert("journal", "run_id", journal, 1),
    end: `with last as (${insert("journal", "run_id", journal, 1)}) ${finish(journal.length + 2)}`,
    once: `with runs as (${insert("run", "id", run, 1)}) ${insert("journal", "run_id", journal, run.length + 2)}`,
  };
}
