import { type Database, type Db, sql, type Tx } from "#platform/db";
import type { Erasure, Hold, HoldScope, PendingErasure, RetentionRule } from "./domain.ts";

/** [P2] Whoever places a hold and whoever erases or retires take turns. Held until the transaction ends. */
export const lockHolds = (tx: Tx, tenantId: string): Promise<unknown> =>
  tx.query(sql`/* privacy.lockHolds */
    select pg_advisory_xact_lock(hashtextextended(${`oars/hold/${tenantId}`}, 0))`);

const holdColumns = sql`id, scope, ref, reason, placed_by as "placedBy", placed_at as "placedAt",
  released_by as "releasedBy", released_at as "releasedAt"`;

export const listHolds = (db: Db, tenantId: string): Promise<Hold[]> =>
  db.query(sql`/* privacy.listHolds */
    select ${holdColumns} from legal_hold where tenant_id = ${tenantId} order by id desc limit 200`);

export const activeHolds = (db: Db, tenantId: string): Promise<Hold[]> =>
  db.query(sql`/* privacy.activeHolds */
    select ${holdColumns} from legal_hold where tenant_id = ${tenantId} and released_at is null order by id`);

export const insertHold = (
  tx: Tx,
  h: { tenantId: string; id: string; scope: HoldScope; ref: string; reason: string; by: string },
): Promise<Hold[]> =>
  tx.query(sql`/* privacy.insertHold */
    insert into legal_hold (tenant_id, id, scope, ref, reason, placed_by)
    values (${h.tenantId}, ${h.id}, ${h.scope}, ${h.ref}, ${h.reason}, ${h.by}) returning ${holdColumns}`);

/** Releases a hold that is active. Nothing: there is none, or it was released. */
export const releaseHold = (tx: Tx, tenantId: string, id: string, by: string): Promise<Hold[]> =>
  tx.query(sql`/* privacy.releaseHold */
    update legal_hold set released_at = now(), released_by = ${by}
    where tenant_id = ${tenantId} and id = ${id} and released_at is null returning ${holdColumns}`);

export const findHold = (db: Db, tenantId: string, id: string): Promise<Hold[]> =>
  db.query(sql`/* privacy.findHold */
    select ${holdColumns} from legal_hold where tenant_id = ${tenantId} and id = ${id}`);

/** Tenants of which something is held, for the retention by months. */
export async function listHeldTenants(db: Database): Promise<string[]> {
  const rows = await db.system.query<{ id: string }>(sql`/* privacy.listHeldTenants */
    select distinct tenant_id as id from legal_hold where released_at is null`);
  return rows.map((row) => row.id);
}

export const listRules = (db: Db, tenantId: string): Promise<RetentionRule[]> =>
  db.query(sql`/* privacy.listRules */
    select type, body_days as "bodyDays", disclosure_days as "disclosureDays" from retention_rule
    where tenant_id = ${tenantId} order by type`);

export async function replaceRules(tx: Tx, tenantId: string, rules: readonly RetentionRule[]): Promise<void> {
  await tx.query(sql`/* privacy.deleteRules */ delete from retention_rule where tenant_id = ${tenantId}`);
  for (const rule of rules) {
    await tx.query(sql`/* privacy.insertRule */
      insert into retention_rule (tenant_id, type, body_days, disclosure_days)
      values (${tenantId}, ${rule.type}, ${rule.bodyDays}, ${rule.disclosureDays})`);
  }
}

export async function listRuledTenants(db: Database): Promise<string[]> {
  const rows = await db.system.query<{ id: string }>(sql`/* privacy.listRuledTenants */
    select distinct tenant_id as id from retention_rule`);
  return rows.map((row) => row.id);
}

const erasureColumns = sql`id, state, counts, requested_by as "requestedBy", created_at as "createdAt",
  completed_at as "completedAt"`;

export const insertErasure = (
  tx: Tx,
  e: { tenantId: string; id: string; pending: PendingErasure; by: string },
): Promise<unknown> =>
  tx.query(sql`/* privacy.insertErasure */
    insert into erasure (tenant_id, id, state, pending, requested_by)
    values (${e.tenantId}, ${e.id}, 'erasing', ${JSON.stringify(e.pending)}::jsonb, ${e.by})`);

export const completeErasure = (
  tx: Tx,
  tenantId: string,
  id: string,
  counts: Readonly<Record<string, number>>,
): Promise<unknown> =>
  tx.query(sql`/* privacy.completeErasure */
    update erasure set state = 'completed', pending = null, counts = ${JSON.stringify(counts)}::jsonb, completed_at = now()
    where tenant_id = ${tenantId} and id = ${id} and state = 'erasing'`);

export const listErasures = (db: Db, tenantId: string): Promise<Erasure[]> =>
  db.query(sql`/* privacy.listErasures */
    select ${erasureColumns} from erasure where tenant_id = ${tenantId} order by id desc limit 200`);

export const findErasure = (db: Db, tenantId: string, id: string): Promise<Erasure[]> =>
  db.query(sql`/* privacy.findErasure */
    select ${erasureColumns} from erasure where tenant_id = ${tenantId} and id = ${id}`);

/** Erasures that were interrupted, of every tenant. */
export const listInterrupted = (
  db: Database,
  olderThanSeconds: number,
): Promise<{ tenantId: string; id: string; pending: PendingErasure }[]> =>
  db.system.query(sql`/* privacy.listInterrupted */
    select tenant_id as "tenantId", id, pending from erasure
    where state = 'erasing' and created_at <= now() - make_interval(secs => ${olderThanSeconds}) order by created_at limit 50`);

/** The principal and those that act for it. */
export async function listActing(db: Db, tenantId: string, principalId: string): Promise<string[]> {
  const rows = await db.query<{ id: string }>(sql`/* privacy.listActing */
    select id from principal where tenant_id = ${tenantId} and (id = ${principalId} or owner_id = ${principalId})`);
  return rows.map((row) => row.id);
}

/** Whether a held run or action is one of those principals. Unknown ones count as theirs. */
export async function isOf(
  db: Db,
  tenantId: string,
  scope: "run" | "action",
  id: string,
  principals: readonly string[],
): Promise<boolean> {
  const rows = await db.query<{ principalId: string }>(
    scope === "run"
      ? sql`/* privacy.ownerOfRun */ select principal_id as "principalId" from run where tenant_id = ${tenantId} and id = ${id}`
      : sql`/* privacy.ownerOfAction */ select principal_id as "principalId" from action where tenant_id = ${tenantId} and id = ${id}`,
  );
  const [row] = rows;
  return row === undefined || principals.includes(row.principalId);
}
