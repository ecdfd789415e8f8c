/** One row in each table of those who watch an installation: targets of events, alerts, witnesses of the log. */
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import type { App } from "../compose.ts";

export async function furnishWatch({ db }: App, tenantId: string): Promise<void> {
  const [target, alert] = [newId(), newId()];
  const rows = [
    sql`insert into delivery_target (tenant_id, id, name, purpose, kind, format, config, state)
      values (${tenantId}, ${target}, 'none', 'siem', 'webhook', 'native', '{}', 'paused')`,
    sql`insert into delivery (tenant_id, id, target_id, subject_kind, subject_id, payload, available_at)
      values (${tenantId}, ${newId()}, ${target}, 'event', ${newId()}, '{}', now() + interval '1 day')`,
    sql`insert into dead_letter (tenant_id, id, target_id, subject_kind, subject_id, payload, attempts, last_error, state)
      values (${tenantId}, ${newId()}, ${target}, 'event', ${newId()}, '{}', 1, 'gone', 'open')`,
    sql`insert into alert (tenant_id, id, key, code, severity, message, state, count, event_id, details)
      values (${tenantId}, ${alert}, 'none', 'NONE', 'low', 'nothing', 'resolved', 1, ${newId()}, '{}')`,
    sql`insert into alert_entry (tenant_id, alert_id, id, kind) values (${tenantId}, ${alert}, ${newId()}, 'opened')`,
    sql`insert into alert_route (tenant_id, severity, channels, at_once, escalation_minutes, updated_by)
      values (${tenantId}, 'low', '{}', 0, 60, ${newId()})`,
    sql`insert into alert_rule (tenant_id, name, types, min_severity, min_count, enabled, updated_by)
      values (${tenantId}, 'none', '{}', 'low', 1, false, ${newId()})`,
    sql`insert into log_cosignature (tenant_id, size, witness, line) values (${tenantId}, 1, 'nobody', 'none')`,
    sql`insert into log_head_entry (tenant_id, leaf_index, size, entry) values (${tenantId}, 1000000, 1, 'none')
      on conflict do nothing`,
    sql`insert into witnessed_log (tenant_id, origin, size, root, note)
      values (${tenantId}, 'none', 0, ${new Uint8Array(32)}, '')`,
  ];
  for (const row of rows) await db.system.query(row);
}
