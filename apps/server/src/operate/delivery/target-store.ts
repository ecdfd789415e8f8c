/** SQL of targets. What acts for a tenant takes a Db or Tx; what sends runs across tenants. */
import { type Database, type Db, type Sql, sql, type Tx } from "#platform/db";
import type { Severity } from "#platform/events";
import type { Format, Purpose, TargetState } from "./domain.ts";

export interface Target {
  readonly tenantId: string;
  readonly id: string;
  readonly name: string;
  readonly purpose: Purpose;
  readonly kind: string;
  readonly format: Format;
  /** Without secrets. */
  readonly config: Record<string, unknown>;
  readonly fromEnv: boolean;
  readonly minSeverity: Severity;
  /** Types of events, exact or as `approval.*`; null: all. */
  readonly types: readonly string[] | null;
  readonly state: TargetState;
  /** In a row. */
  readonly failures: number;
  /** Until then nothing is sent. */
  readonly openUntil: Date | null;
  readonly delivered: number;
  readonly failed: number;
  readonly givenUp: number;
  readonly lastSuccessAt: Date | null;
  readonly lastFailureAt: Date | null;
  readonly lastError: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const columns: Sql = sql`t.tenant_id as "tenantId", t.id, t.name, t.purpose, t.kind, t.format, t.config, t.from_env as "fromEnv",
  t.min_severity as "minSeverity", t.types, t.state, t.failures, t.open_until as "openUntil", t.delivered, t.failed,
  t.given_up as "givenUp", t.last_success_at as "lastSuccessAt", t.last_failure_at as "lastFailureAt",
  t.last_error as "lastError", t.created_at as "createdAt", t.updated_at as "updatedAt"`;

export interface TargetValues {
  readonly tenantId: string;
  readonly id: string;
  readonly name: string;
  readonly purpose: Purpose;
  readonly kind: string;
  readonly format: Format;
  readonly config: Record<string, unknown>;
  readonly sealed: Uint8Array | null;
  readonly fromEnv: boolean;
  readonly minSeverity: Severity;
  readonly types: readonly string[] | null;
}

/** Nothing where the name is one of the other origin: neither the environment nor the API takes over the other's. */
export const putTarget = (tx: Db, v: TargetValues): Promise<Target[]> =>
  tx.query<Target>(sql`/* delivery.putTarget */
    insert into delivery_target as t (tenant_id, id, name, purpose, kind, format, config, sealed, from_env, min_severity, types)
    values (${v.tenantId}, ${v.id}, ${v.name}, ${v.purpose}, ${v.kind}, ${v.format}, ${JSON.stringify(v.config)}::jsonb, ${v.sealed},
      ${v.fromEnv}, ${v.minSeverity}, ${v.types === null ? null : [...v.types]}::text[])
    on conflict on constraint delivery_target__tenant_id__name do update set purpose = excluded.purpose, kind = excluded.kind,
      format = excluded.format, config = excluded.config, sealed = excluded.sealed, min_severity = excluded.min_severity,
      types = excluded.types, failures = 0, open_until = null, updated_at = now(),
      state = case when t.state = 'retired' then 'active' else t.state end
      where t.from_env = excluded.from_env
    returning ${columns}`);

/** Those of the environment that no process names any more keep what is queued and get nothing further. */
export const retireTargets = (db: Database, tenantId: string, names: readonly string[]): Promise<unknown> =>
  db.system.query(sql`/* delivery.retireTargets */
    update delivery_target set state = 'retired', updated_at = now()
    where tenant_id = ${tenantId} and from_env and state <> 'retired' and not name = any(${[...names]}::text[])`);

/** The id that a target of this name has, with its place in line locked. */
export const findTarget = (db: Db, tenantId: string, name: string): Promise<Target[]> =>
  db.query<Target>(sql`/* delivery.findTarget */
    select ${columns} from delivery_target t where t.tenant_id = ${tenantId} and t.name = ${name}`);

export interface QueuedTarget extends Target {
  readonly queued: number;
  readonly oldestAt: Date | null;
  readonly openDeadLetters: number;
}

/** All targets of a tenant, by name, with what waits for them. */
export const listTargets = (db: Db, tenantId: string): Promise<QueuedTarget[]> =>
  db.query<QueuedTarget>(sql`/* delivery.listTargets */
    select ${columns}, q.queued, q."oldestAt", d.n as "openDeadLetters" from delivery_target t
    cross join lateral (select count(*)::int4 as queued, min(q.created_at) as "oldestAt" from delivery q
      where q.tenant_id = t.tenant_id and q.target_id = t.id) q
    cross join lateral (select count(*)::int4 as n from dead_letter d
      where d.tenant_id = t.tenant_id and d.target_id = t.id and d.state = 'open') d
    where t.tenant_id = ${tenantId} order by t.name collate "C"`);

export const deleteTarget = (tx: Tx, tenantId: string, name: string): Promise<Target[]> =>
  tx.query<Target>(sql`/* delivery.deleteTarget */
    with gone as (delete from delivery_target t where t.tenant_id = ${tenantId} and t.name = ${name} and not t.from_env returning ${columns}),
    queued as (delete from delivery d using gone g where d.tenant_id = g."tenantId" and d.target_id = g.id)
    select * from gone`);

export const setState = (tx: Tx, tenantId: string, name: string, state: TargetState): Promise<Target[]> =>
  tx.query<Target>(sql`/* delivery.setState */
    update delivery_target t set state = ${state}, failures = 0, open_until = null, updated_at = now()
    where t.tenant_id = ${tenantId} and t.name = ${name} and t.state <> 'retired' returning ${columns}`);

/** Targets for events of these tenants: their own, and those of the operator's environment. Across tenants. */
export const listenersOf = (tx: Tx, tenantIds: readonly string[]): Promise<Target[]> =>
  tx.query<Target>(sql`/* delivery.listeners */
    select ${columns} from delivery_target t
    where t.purpose = 'siem' and t.state <> 'retired' and (t.from_env or t.tenant_id = any(${[...tenantIds]}::uuid[]))`);

/** Where a tenant's alerts may go: its own channels, then those of the operator's environment. Across tenants. */
export const listChannels = (db: Db, tenantId: string): Promise<Target[]> =>
  db.query<Target>(sql`/* delivery.listChannels */
    select ${columns} from delivery_target t
    where t.purpose = 'alerts' and t.state <> 'retired' and (t.tenant_id = ${tenantId} or t.from_env)
    order by t.tenant_id <> ${tenantId}, t.name collate "C"`);

export interface DueTarget extends Target {
  readonly sealed: Uint8Array | null;
  /** Milliseconds until its next item is due; zero or less: now. */
  readonly ms: number;
}

/** Active targets for which something is queued, with when it is due. Across tenants. */
export const findDue = (db: Database): Promise<DueTarget[]> =>
  db.system.query<DueTarget>(sql`/* delivery.findDue */
    select ${columns}, t.sealed, (extract(epoch from greatest(n.at, t.open_until) - now()) * 1000)::float8 as ms
    from delivery_target t cross join lateral (select d.available_at as at from delivery d
      where d.tenant_id = t.tenant_id and d.target_id = t.id order by d.available_at limit 1) n
    where t.state = 'active'`);

export const findSealed = (
  db: Db,
  tenantId: string,
  name: string,
): Promise<{ sealed: Uint8Array | null }[]> =>
  db.query(sql`/* delivery.findSealed */
    select t.sealed from delivery_target t where t.tenant_id = ${tenantId} and t.name = ${name}`);

export const noteSuccess = (tx: Tx, target: Target, n: number): Promise<unknown> =>
  tx.query(sql`/* delivery.noteSuccess */
    update delivery_target set delivered = delivered + ${n}, failures = 0, open_until = null, last_success_at = now(), last_error = null
    where tenant_id = ${target.tenantId} and id = ${target.id}`);

/** `openMs`: how long the target is left alone now; null: it is not. */
export const noteFailure = (
  tx: Tx,
  target: Target,
  f: {
    readonly error: string;
    readonly givenUp: number;
    readonly openMs: number | null;
    readonly counts: boolean;
  },
): Promise<unknown> =>
  tx.query(sql`/* delivery.noteFailure */
    update delivery_target set failed = failed + 1, given_up = given_up + ${f.givenUp}, last_failure_at = now(), last_error = ${f.error},
      failures = failures + ${f.counts ? 1 : 0},
      open_until = case when ${f.openMs}::float8 is null then open_until else now() + make_interval(secs => ${f.openMs}::float8 / 1000) end
    where tenant_id = ${target.tenantId} and id = ${target.id}`);
