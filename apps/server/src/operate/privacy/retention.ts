/** Retention of receipts by class. [P3] The clock is the database's; nobody hands one over. */
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, type Month, sql, WriteSet } from "#platform/db";
import { parseId } from "#platform/kernel";
import { type HeldReceipts, type Receipts, retireBodies, retireDisclosures } from "#sign/receipts";
import type { Hold, RetentionRule } from "./domain.ts";
import * as store from "./store.ts";

export interface RetentionDeps {
  readonly db: Database;
  readonly receipts: Pick<Receipts, "add">;
}

/** Replaces all rules of the tenant. */
export function putRules(
  deps: RetentionDeps,
  caller: Caller,
  rules: readonly RetentionRule[],
): Promise<RetentionRule[]> {
  requirePermission(caller, "privacy:write");
  const { tenantId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    await store.lockHolds(tx, tenantId);
    await store.replaceRules(tx, tenantId, rules);
    const set = new WriteSet();
    const principal = { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId };
    const operation = { command: "retention.change" };
    const draft = { tenantId, type: "retention.changed", principal, operation, disclose: { rules } } as const;
    await deps.receipts.add(set, draft, tx);
    await applyWrites(tx, set);
    return store.listRules(tx, tenantId);
  });
}

const batch = 1_000;

/** Applies the rules of every tenant. Answers how many receipts lost something. */
export async function applyRules(db: Database): Promise<number> {
  let changed = 0;
  for (const tenantId of await store.listRuledTenants(db)) changed += await applyTo(db, tenantId);
  return changed;
}

async function applyTo(db: Database, tenantId: string): Promise<number> {
  let changed = 0;
  const rules = await db.read(tenantId, (tx) => store.listRules(tx, tenantId));
  const named = rules.map((rule) => rule.type).filter((type) => type !== "*");
  for (const rule of rules) {
    const others = rule.type === "*";
    const types = others ? named : [rule.type];
    for (const [days, retire] of [
      [rule.disclosureDays, retireDisclosures],
      [rule.bodyDays, retireBodies],
    ] as const) {
      if (days === null) continue;
      for (let n = batch; n === batch; changed += n) {
        n = await db.system.tx(async (tx) => {
          await store.lockHolds(tx, tenantId);
          const held = heldBy(await store.activeHolds(tx, tenantId));
          return held === "all" ? 0 : retire(tx, tenantId, { types, others, days }, held, batch);
        });
      }
    }
  }
  return changed;
}

/** A subject that is no principal may be in any receipt: then all of them stay. */
function heldBy(holds: readonly Hold[]): HeldReceipts | "all" {
  const held = { runs: [] as string[], actions: [] as string[], principals: [] as string[] };
  for (const { scope, ref } of holds) {
    if (scope === "tenant") return "all";
    if (scope === "run") held.runs.push(ref);
    else if (scope === "action") held.actions.push(ref);
    else {
      const principal = parseId("principal", ref);
      if (principal === undefined) return "all";
      held.principals.push(principal);
    }
  }
  return held;
}

/** Whether a month of a table holds anything of a tenant that has a hold: then the month stays as a whole. */
export async function isMonthHeld(
  db: Database,
  table: "receipt" | "action" | "run",
  month: Month,
): Promise<boolean> {
  for (const tenantId of await store.listHeldTenants(db)) {
    const within = sql`tenant_id = ${tenantId} and id >= ${month.firstId} and id < ${month.endId} limit 1`;
    const rows = await db.system.query(
      table === "receipt"
        ? sql`/* privacy.heldReceipts */ select 1 as one from receipt where ${within}`
        : table === "action"
          ? sql`/* privacy.heldActions */ select 1 as one from action where ${within}`
          : sql`/* privacy.heldRuns */ select 1 as one from run where ${within}`,
    );
    if (rows.length > 0) return true;
  }
  return false;
}
