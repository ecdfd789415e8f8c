import { type Database, type Db, defineWrite, sql, type Tx } from "#platform/db";
import { dayBefore } from "#platform/kernel";
import type { StoredReceipt } from "./domain.ts";

export interface ReceiptRow {
  readonly tenant_id: string;
  readonly id: string;
  readonly type: string;
  readonly run_id: string | null;
  readonly action_id: string | null;
  readonly principal_id: string | null;
  readonly user_id: string | null;
  readonly tool: string | null;
  readonly operation: string | null;
  readonly target: string | null;
  readonly effect: string | null;
  readonly policy: string | null;
  readonly policy_version: string | null;
  readonly rules: string | null;
  readonly jws: string;
  readonly disclosures: Uint8Array | null;
  readonly created_at: Date;
}

export const insertReceipt = defineWrite<ReceiptRow>({
  name: "receipts.insert",
  order: 60,
  columns: {
    tenant_id: "uuid",
    id: "uuid",
    type: "text",
    run_id: "uuid",
    action_id: "uuid",
    principal_id: "uuid",
    user_id: "uuid",
    tool: "text",
    operation: "text",
    target: "text",
    effect: "text",
    policy: "text",
    policy_version: "text",
    rules: "jsonb",
    jws: "text",
    disclosures: "bytea",
    created_at: "timestamptz",
  },
  text: `/* receipts.insert */
    insert into receipt (tenant_id, id, type, run_id, action_id, principal_id, user_id, tool, operation, target, effect,
      policy, policy_version, rules, jws, disclosures, created_at)
    select b.tenant_id, b.id, b.type, b.run_id, b.action_id, b.principal_id, b.user_id, b.tool, b.operation, b.target,
      b.effect, b.policy, b.policy_version, b.rules, b.jws, b.disclosures, b.created_at
    from batch b`,
});

export interface PendingRow {
  readonly tenant_id: string;
  readonly receipt_id: string;
  readonly leaf_hash: Uint8Array;
}

export const insertPending = defineWrite<PendingRow>({
  name: "receipts.insert_pending",
  order: 70,
  columns: { tenant_id: "uuid", receipt_id: "uuid", leaf_hash: "bytea" },
  text: `/* receipts.insert_pending */
    insert into receipt_pending (tenant_id, receipt_id, leaf_hash)
    select b.tenant_id, b.receipt_id, b.leaf_hash from batch b`,
});

/** Takes receipts out of the queue; refused when one of them is not there any more. */
export const deletePending = defineWrite<Omit<PendingRow, "leaf_hash">>({
  name: "receipts.delete_pending",
  order: 74,
  columns: { tenant_id: "uuid", receipt_id: "uuid" },
  text: `/* receipts.delete_pending */
    delete from receipt_pending p using batch b
    where p.tenant_id = b.tenant_id and p.receipt_id = b.receipt_id returning 1`,
  guard: true,
});

export interface Pending {
  readonly receiptId: string;
  readonly leafHash: Uint8Array;
}

/** Receipts that wait for their place in the log, oldest first. */
export const listPending = (tx: Tx, tenantId: string, limit: number): Promise<Pending[]> =>
  tx.query(sql`/* receipts.list_pending */
    select receipt_id as "receiptId", leaf_hash as "leafHash" from receipt_pending
    where tenant_id = ${tenantId} order by receipt_id limit ${limit}`);

export const columns = sql`id, type, run_id as "runId", action_id as "actionId", principal_id as "principalId",
  user_id as "userId", tool, operation, target, effect, policy, policy_version as "policyVersion",
  coalesce(rules, '[]'::jsonb) as "rules",
  jws, disclosures as "sealed", created_at as "createdAt"`;

export const findReceipt = (db: Db, tenantId: string, id: string): Promise<StoredReceipt[]> =>
  db.query(sql`/* receipts.find */
    select ${columns} from receipt where tenant_id = ${tenantId} and id = ${id}`);

/** Those of the ids that there are, in their order. */
export const findReceipts = (db: Db, tenantId: string, ids: readonly string[]): Promise<StoredReceipt[]> =>
  db.query(sql`/* receipts.find_many */
    select ${columns} from receipt where tenant_id = ${tenantId} and id = any(${[...ids]}::uuid[])
    order by array_position(${[...ids]}::uuid[], id)`);

export const listRunReceipts = (db: Db, tenantId: string, runId: string): Promise<StoredReceipt[]> =>
  db.query(sql`/* receipts.list_run */
    select ${columns} from receipt where tenant_id = ${tenantId} and run_id = ${runId} and id >= ${dayBefore(runId)} order by id`);

/** Across tenants: one figure for the operator. */
export async function countPending(db: Database): Promise<number> {
  const rows = await db.system.query<{ n: number }>(sql`/* receipts.countPending */
    select count(*)::int4 as n from receipt_pending`);
  return rows[0]?.n ?? 0;
}
