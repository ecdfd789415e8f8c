/** Runs as rows, without a server: for tests of claims and for large tables. */
import { type Database, sql } from "#platform/db";

/** The n-th of the tenants that `plantRuns` makes. */
export const tenantNo = (n: number): string => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;

export interface Planted {
  /** Numbers of the first and the last tenant. */
  readonly tenants: readonly [from: number, to: number];
  /** Runs of each tenant. */
  readonly each: number;
  readonly flow?: string;
  readonly flowMax?: number;
  readonly priority?: number;
  readonly status?: "queued" | "waiting" | "completed";
  readonly key?: string;
  readonly blocked?: boolean;
}

/** Runs, of each tenant the oldest first. */
export async function plantRuns(db: Pick<Database, "system">, planted: Planted): Promise<void> {
  const { tenants, each, flow = "planted", status = "queued", key = null } = planted;
  await db.system.query(sql`insert into run (tenant_id, id, flow_name, flow_version, flow_hash, status, principal_id, params,
      priority, flow_max, concurrency_key, concurrency_limit, blocked, available_at, created_at, ended_at)
    select ('00000000-0000-7000-8000-' || lpad(to_hex(t.n), 12, '0'))::uuid, gen_random_uuid(),
      ${flow}, '1.0.0', 'sha256:0', ${status}, '00000000-0000-7000-8000-000000000000', '{}', ${planted.priority ?? 0},
      ${planted.flowMax ?? null}::int4, ${key}::text, case when ${key}::text is not null then 1 end, ${planted.blocked ?? false},
      x.at, x.at, case when ${status} = 'completed' then now() end
    from generate_series(${tenants[0]}::int4, ${tenants[1]}::int4) as t (n), generate_series(1, ${each}::int4) as r (n),
      lateral (select now() - make_interval(secs => ${each}::int4 - r.n) as at) x`);
}
