/** Shares of tenants: what they are, and who sets them. Claims follow them from the next look on. */
import { type Caller, requirePermission } from "#platform/access";
import { type Database, type Db, sql, type Tx } from "#platform/db";

export interface RunShare {
  readonly tenantId: string;
  readonly weight: number;
  /** Runs that execute at once, in all processes together; null for no cap. */
  readonly maxRunning: number | null;
  readonly running: number;
  /** At most 10,000 are counted. */
  readonly queued: number;
}

export interface ShareChange {
  /** The caller's own tenant when absent. */
  readonly tenantId?: string | undefined;
  readonly weight?: number | undefined;
  readonly maxRunning?: number | null | undefined;
}

export interface Scheduling {
  /** Of the caller's tenant. Needs `runs:read`. */
  find(caller: Caller): Promise<RunShare>;
  /** Needs `platform:operate`: a tenant does not choose its own share. Errors: TENANT_NOT_FOUND. */
  put(caller: Caller, change: ShareChange): Promise<RunShare>;
}

export interface SchedulingDeps {
  readonly db: Database;
  /** Throws TENANT_NOT_FOUND. */
  readonly assertTenant: (caller: Caller, tenantId: string) => Promise<unknown>;
  /** Runs that waited may go on. */
  readonly onChanged: () => void;
}

export function createScheduling({ db, assertTenant, onChanged }: SchedulingDeps): Scheduling {
  const read = (tenantId: string): Promise<RunShare> => db.read(tenantId, (tx) => findShare(tx, tenantId));
  return {
    find: async (caller) => {
      requirePermission(caller, "runs:read");
      return read(caller.tenantId);
    },
    put: async (caller, change) => {
      requirePermission(caller, "platform:operate");
      const tenantId = change.tenantId ?? caller.tenantId;
      if (tenantId !== caller.tenantId) await assertTenant(caller, tenantId);
      await db.system.tx((tx) => writeShare(tx, tenantId, change));
      onChanged();
      return read(tenantId);
    },
  };
}

async function findShare(db: Db, tenantId: string): Promise<RunShare> {
  const rows = await db.query<RunShare>(sql`/* engine.findShare */
    select ${tenantId}::uuid as "tenantId", coalesce(s.weight, 1) as weight, s.max_running as "maxRunning",
      (select count(*) from run r where r.tenant_id = ${tenantId} and r.status = 'running')::int4 as running,
      (select count(*) from (
        (select from run r where r.tenant_id = ${tenantId} and r.status = 'queued' and not r.blocked and r.flow_max is null limit 10000)
        union all
        (select from run r where r.tenant_id = ${tenantId} and r.status = 'queued' and not r.blocked and r.flow_max is not null limit 10000)
        union all
        (select from run r where r.tenant_id = ${tenantId} and r.status = 'queued' and r.blocked limit 10000)
        limit 10000) q)::int4 as queued
    from (values (1)) one left join run_share s on s.tenant_id = ${tenantId}`);
  const [share] = rows;
  if (!share) throw new Error("one row was asked for");
  return share;
}

const writeShare = (tx: Tx, tenantId: string, { weight, maxRunning }: ShareChange): Promise<unknown> =>
  tx.query(sql`/* engine.writeShare */
    insert into run_share as s (tenant_id, weight, max_running) values (${tenantId}, ${weight ?? 1}, ${maxRunning ?? null}::int4)
    on conflict (tenant_id) do update set weight = coalesce(${weight ?? null}::float8, s.weight),
      max_running = case when ${maxRunning === undefined} then s.max_running else ${maxRunning ?? null}::int4 end`);
