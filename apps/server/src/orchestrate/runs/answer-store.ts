import type { RunEnd } from "#orchestrate/engine";
import { type Database, sql } from "#platform/db";

/** Those of the runs that have ended. Across tenants: it serves all that wait in this process. */
export const findEnds = (
  db: Pick<Database, "system">,
  runs: readonly { readonly tenantId: string; readonly runId: string }[],
): Promise<(RunEnd & { readonly id: string })[]> =>
  db.system.query(sql`/* runs.findEnds */
    select r.id, r.status, r.output, r.error
    from unnest(${runs.map((r) => r.tenantId)}::uuid[], ${runs.map((r) => r.runId)}::uuid[]) as w(tenant_id, run_id)
    join run r on r.tenant_id = w.tenant_id and r.id = w.run_id
    where r.status in ('completed', 'failed', 'aborted')`);
