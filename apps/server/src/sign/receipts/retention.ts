/**
 * Receipts whose time is over go with their month. Their leaf hashes, the tiles and the checkpoints stay, so that the
 * log goes on over them and a copy that somebody kept can be proven.
 */
import {
  type Database,
  dropMonth,
  listMonths,
  type Month,
  nothing,
  type Sql,
  sql,
  type Tx,
} from "#platform/db";

export interface ReceiptRetirement {
  readonly retired: readonly Month[];
  readonly kept: readonly { readonly month: Month; readonly why: string }[];
}

export async function retireReceipts(
  db: Database,
  keepDays: number | null,
  isHeld: (month: Month) => Promise<boolean> = async () => false,
): Promise<ReceiptRetirement> {
  const retired: Month[] = [];
  const kept: { month: Month; why: string }[] = [];
  if (keepDays === null) return { retired, kept };
  for (const month of await listMonths(db, "receipt")) {
    if (month.endedDaysAgo <= keepDays) continue;
    const waiting = await db.system.query(sql`/* receipts.findUnlogged */
      select 1 as one from receipt_pending where receipt_id >= ${month.firstId} and receipt_id < ${month.endId} limit 1`);
    if (await isHeld(month)) kept.push({ month, why: "a legal hold keeps it" });
    else if (waiting.length > 0) kept.push({ month, why: "a receipt of it is not in the log yet" });
    else {
      await dropMonth(db, month.name);
      retired.push(month);
    }
  }
  return { retired, kept };
}

/** What of a tenant must stay. Ids are UUIDs. */
export interface HeldReceipts {
  readonly runs: readonly string[];
  readonly actions: readonly string[];
  readonly principals: readonly string[];
}

export interface ReceiptClass {
  /** These types alone, or all but these. */
  readonly types: readonly string[];
  readonly others: boolean;
  readonly days: number;
}

/** Receipts of a class that are over their time by the clock of the database, and not held. */
const dueOf = (tenantId: string, of: ReceiptClass, held: HeldReceipts): Sql =>
  sql`r.tenant_id = ${tenantId} and r.created_at < now() - make_interval(days => ${of.days})
    and ${of.others ? sql`not` : nothing} (r.type = any(${[...of.types]}::text[]))
    and (r.run_id is null or not r.run_id = any(${[...held.runs]}::uuid[]))
    and (r.action_id is null or not r.action_id = any(${[...held.actions]}::uuid[]))
    and (r.principal_id is null or not r.principal_id = any(${[...held.principals]}::uuid[]))
    and (r.user_id is null or not r.user_id = any(${[...held.principals]}::uuid[]))`;

/** Drops sensitive members that are over their time; `tx` is of the system. Fewer than `limit`: none is left. */
export async function retireDisclosures(
  tx: Tx,
  tenantId: string,
  of: ReceiptClass,
  held: HeldReceipts,
  limit: number,
): Promise<number> {
  const rows = await tx.query(sql`/* receipts.retire_disclosures */
    update receipt u set disclosures = null where u.tenant_id = ${tenantId} and u.id in (
      select r.id from receipt r where ${dueOf(tenantId, of, held)} and r.disclosures is not null limit ${limit}
    ) returning 1`);
  return rows.length;
}

/** Deletes signed texts that are over their time and in the log; `tx` is of the system. */
export async function retireBodies(
  tx: Tx,
  tenantId: string,
  of: ReceiptClass,
  held: HeldReceipts,
  limit: number,
): Promise<number> {
  const rows = await tx.query(sql`/* receipts.retire_bodies */
    delete from receipt d where d.tenant_id = ${tenantId} and d.id in (
      select r.id from receipt r where ${dueOf(tenantId, of, held)} and not exists (
        select from receipt_pending p where p.tenant_id = r.tenant_id and p.receipt_id = r.id) limit ${limit}
    ) returning 1`);
  return rows.length;
}

/**
 * Drops what is sealed of erased principals: under their key, or under the tenant's as older versions did. What is shared
 * with others stays, and cannot be read. Fewer than `limit`: none is left.
 */
export async function clearDisclosuresOf(
  tx: Tx,
  tenantId: string,
  erased: { readonly principals: readonly string[]; readonly keyId: string | null },
  limit: number,
): Promise<number> {
  const { principals, keyId } = erased;
  const rows = await tx.query(sql`/* receipts.clear_disclosures */
    update receipt u set disclosures = null where u.tenant_id = ${tenantId} and u.id in (
      select r.id from receipt r where r.tenant_id = ${tenantId} and r.disclosures is not null
        and (get_byte(r.disclosures, 0) = 1
          or substring(r.disclosures from 2 for 17) = decode('01' || replace(${keyId}::text, '-', ''), 'hex'))
        and (r.principal_id = any(${[...principals]}::uuid[]) or r.user_id = any(${[...principals]}::uuid[])) limit ${limit}
    ) returning 1`);
  return rows.length;
}
