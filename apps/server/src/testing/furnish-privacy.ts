/** One row in each table of privacy: a hold, a rule of retention, an erasure. */
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import type { App } from "../compose.ts";

export async function furnishPrivacy({ db }: App, tenantId: string): Promise<void> {
  const rows = [
    sql`insert into legal_hold (tenant_id, id, scope, ref, reason, placed_by)
      values (${tenantId}, ${newId()}, 'subject', 'nobody', 'a test', ${newId()})`,
    sql`insert into retention_rule (tenant_id, type, body_days) values (${tenantId}, 'signal.received', 400)`,
    sql`insert into erasure (tenant_id, id, state, requested_by) values (${tenantId}, ${newId()}, 'completed', ${newId()})`,
  ];
  for (const row of rows) await db.system.query(row);
}
