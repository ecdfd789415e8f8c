/**
 * Tags receipts with the controls that they are evidence of. It follows the log: for each mapping it knows up to which
 * leaf all receipts were compared with it, moves that forward in the commit that writes the tags, and so leaves
 * none out and tags none twice, whatever dies. A new version of a mapping begins at the first leaf.
 */
import { kindsOf, matchesFilter } from "@oars/receipts";
import { type Database, type Db, sql, type Tx } from "#platform/db";
import { dayBefore, OarsError } from "#platform/kernel";
import { findHead } from "#sign/log";
import { bitsOf, type ControlMapping } from "./domain.ts";
import { bodyOf, type Leaf, readLeaves } from "./log-reader.ts";
import { listLive } from "./mapping-store.ts";

export interface Tagger {
  /**
   * Compares what is in the log with the mappings in force. Answers the leaf up to which all of them are done. Throws
   * EVIDENCE_TAGS_BEHIND when that takes longer than somebody waits; what was done stays done.
   */
  catchUp(tenantId: string, patienceMs?: number): Promise<number>;
  /** One turn for every tenant that is behind; true when there is more to do. */
  sweep(): Promise<boolean>;
}

const batchSize = 500;
const usualPatienceMs = 10_000;

export function createTagger(db: Database): Tagger {
  const catchUp = async (tenantId: string, patienceMs = usualPatienceMs): Promise<number> => {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const step = await db.tx(tenantId, (tx) => tagBatch(tx, tenantId));
      if (step.done) return step.at;
      if (performance.now() > deadline)
        throw new OarsError("EVIDENCE_TAGS_BEHIND", { at: step.at, size: step.size, seconds: 5 });
      await new Promise(setImmediate); // the embedded database would keep others waiting
    }
  };
  return {
    catchUp,
    sweep: async () => {
      const behind = await findBehind(db);
      for (const tenantId of behind.slice(0, 100)) await catchUp(tenantId, Number.POSITIVE_INFINITY);
      await forgetRetired(db);
      return behind.length > 100;
    },
  };
}

async function tagBatch(tx: Tx, tenantId: string): Promise<{ done: boolean; at: number; size: number }> {
  await tx.query(sql`/* evidence.lockTags */
    select pg_advisory_xact_lock(hashtextextended(${`oars/tags/${tenantId}`}, 0))`);
  const size = (await findHead(tx, tenantId))?.size ?? 0;
  const mappings = await listLive(tx, tenantId);
  const from = Math.min(size, ...mappings.map((m) => m.taggedTo));
  if (from >= size) return { done: true, at: size, size };
  const to = Math.min(size, from + batchSize);
  const due = mappings.filter((m) => m.taggedTo < to);
  await insertTags(tx, tenantId, tagsOf(await readLeaves(tx, tenantId, from, to), due));
  await tx.query(sql`/* evidence.moveTags */
    update control_mapping set tagged_to = ${to} where tenant_id = ${tenantId} and tagged_to < ${to}
      and id in (select jsonb_array_elements_text(${JSON.stringify(due.map((m) => m.id))}::jsonb)::uuid)`);
  return { done: to >= size, at: to, size };
}

interface Tag {
  readonly mappingId: string;
  readonly receiptId: string;
  readonly index: number;
  readonly kinds: number;
  readonly at: string;
}

function tagsOf(leaves: readonly Leaf[], mappings: readonly ControlMapping[]): Tag[] {
  return leaves.flatMap(({ index, receiptId, jws }) => {
    if (jws === null) return [];
    const body = bodyOf(jws);
    const kinds = bitsOf(kindsOf(body));
    return mappings
      .filter((m) => index >= m.taggedTo && matchesFilter(body, m.receiptFilters))
      .map((m) => ({ mappingId: m.id, receiptId, index, kinds, at: body.ts }));
  });
}

const insertTags = async (tx: Tx, tenantId: string, tags: readonly Tag[]): Promise<void> => {
  if (tags.length === 0) return;
  await tx.query(sql`/* evidence.insertTags */
    insert into receipt_control (tenant_id, mapping_id, receipt_id, leaf_index, kinds, at)
    select ${tenantId}, t."mappingId", t."receiptId", t.index, t.kinds, t.at
    from jsonb_to_recordset(${JSON.stringify(tags)}::jsonb) as t("mappingId" uuid, "receiptId" uuid, index bigint, kinds int,
      at timestamptz)
    on conflict do nothing`);
};

/** By the mappings in force. */
export async function listControls(
  db: Db,
  tenantId: string,
  receiptIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (receiptIds.length === 0) return new Map();
  const rows = await db.query<{ id: string; controls: string[] }>(sql`/* evidence.listControls */
    select t.receipt_id as id, jsonb_agg(m.framework || '/' || m.control_id order by m.framework, m.control_id) as controls
    from receipt_control t join control_mapping m on m.tenant_id = t.tenant_id and m.id = t.mapping_id
    where t.tenant_id = ${tenantId} and m.replaced_at is null
      and t.receipt_id in (select jsonb_array_elements_text(${JSON.stringify(receiptIds)}::jsonb)::uuid)
    group by t.receipt_id`);
  return new Map(rows.map(({ id, controls }) => [id, controls]));
}

/** Across tenants: those with a mapping that is behind the log. */
async function findBehind(db: Database): Promise<string[]> {
  const rows = await db.system.query<{ tenantId: string }>(sql`/* evidence.findBehind */
    select m.tenant_id as "tenantId" from control_mapping m
    where m.replaced_at is null group by m.tenant_id
    having min(m.tagged_to) < coalesce((select max(c.size) from log_checkpoint c where c.tenant_id = m.tenant_id), 0)
    order by m.tenant_id limit 101`);
  return rows.map(({ tenantId }) => tenantId);
}

/** Across tenants: tags by mappings that were replaced, and of receipts whose month is gone. A few at a time. */
async function forgetRetired(db: Database): Promise<void> {
  await db.system.query(sql`/* evidence.forgetReplaced */
    delete from receipt_control t using (
      select o.tenant_id, o.mapping_id, o.receipt_id from control_mapping m
      join receipt_control o on o.tenant_id = m.tenant_id and o.mapping_id = m.id
      where m.replaced_at is not null limit 5000) gone
    where t.tenant_id = gone.tenant_id and t.mapping_id = gone.mapping_id and t.receipt_id = gone.receipt_id`);
  const [oldest] = await db.system.query<{ id: string | null }>(sql`/* evidence.oldestReceipt */
    select id from receipt order by id limit 1`);
  if (!oldest?.id) return;
  await db.system.query(sql`/* evidence.forgetRetired */
    delete from receipt_control t using (
      select tenant_id, mapping_id, receipt_id from receipt_control where receipt_id < ${dayBefore(oldest.id)} limit 5000) gone
    where t.tenant_id = gone.tenant_id and t.mapping_id = gone.mapping_id and t.receipt_id = gone.receipt_id`);
}
