/** Reads of the journal for people: pages, summaries, what can be used again. It is written by the engine. */
import type { JournalEntry, SeedEntry } from "#orchestrate/engine";
import { type Db, sql } from "#platform/db";

const columns = sql`j.step, j.iteration, j.attempt, j.event, j.seq, j.output, j.error, j.operator, j.at, j.ms`;

/** Entries behind `after`, in their order, with those of items and of the run itself. */
export const readEntries = (
  db: Db,
  tenantId: string,
  runId: string,
  page: { readonly after: number; readonly limit: number },
): Promise<JournalEntry[]> =>
  db.query<JournalEntry>(sql`/* runs.readEntries */
    select ${columns} from journal j where j.tenant_id = ${tenantId} and j.run_id = ${runId} and j.seq > ${page.after}
    order by j.seq limit ${page.limit}`);

/** The newest entry of each step. */
export const readStepEntries = (db: Db, tenantId: string, runId: string): Promise<JournalEntry[]> =>
  db.query<JournalEntry>(sql`/* runs.readStepEntries */
    select distinct on (j.step) ${columns} from journal j
    where j.tenant_id = ${tenantId} and j.run_id = ${runId} and j.iteration = 0 and j.step <> ''
    order by j.step, j.seq desc`);

export interface ItemCount {
  readonly step: string;
  readonly event: JournalEntry["event"];
  readonly n: number;
}

/** How many items of each step stand where, by their newest entries. */
export const countItems = (db: Db, tenantId: string, runId: string): Promise<ItemCount[]> =>
  db.query<ItemCount>(sql`/* runs.countItems */
    select h.step, h.event, count(*)::int4 as n from (
      select distinct on (j.step, j.iteration) j.step, j.event from journal j
      where j.tenant_id = ${tenantId} and j.run_id = ${runId} and j.iteration > 0
      order by j.step, j.iteration, j.seq desc) h
    group by h.step, h.event`);

/** The newest entry of each item of a step, in their order. */
export const readItemEntries = (
  db: Db,
  tenantId: string,
  runId: string,
  step: string,
  page: { readonly after: number; readonly limit: number },
): Promise<JournalEntry[]> =>
  db.query<JournalEntry>(sql`/* runs.readItemEntries */
    select distinct on (j.iteration) ${columns} from journal j
    where j.tenant_id = ${tenantId} and j.run_id = ${runId} and j.step = ${step} and j.iteration > ${page.after}
    order by j.iteration, j.seq desc limit ${page.limit}`);

/** The ends of these steps and of their items, each step behind its items. */
export const readEnds = (
  db: Db,
  tenantId: string,
  runId: string,
  steps: readonly string[],
): Promise<SeedEntry[]> =>
  db.query<SeedEntry>(sql`/* runs.readEnds */
    select e.step, e.iteration, e.event, e.output, e.error, e.operator is not null as given from (
      select distinct on (j.step, j.iteration) ${columns} from journal j
      where j.tenant_id = ${tenantId} and j.run_id = ${runId} and j.step = any(${steps}::text[])
      order by j.step, j.iteration, j.seq desc) e
    where e.event in ('completed', 'failed', 'skipped') order by e.seq`);
