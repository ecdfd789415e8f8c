/** SQL of alerts. What raises and escalates them runs across tenants, in the transactions that tell events. */
import { type Database, type Db, type Sql, sql, type Tx } from "#platform/db";
import type { Severity } from "#platform/events";
import { type Json, newId } from "#platform/kernel";
import type { AlertRoute, AlertRule, AlertSeverity, AlertState, Cause } from "./domain.ts";

export interface Alert {
  readonly tenantId: string;
  readonly id: string;
  readonly key: string;
  readonly code: string;
  readonly severity: AlertSeverity;
  readonly message: string;
  readonly state: AlertState;
  readonly count: number;
  readonly eventId: string;
  readonly targetKind: string | null;
  readonly targetId: string | null;
  readonly details: Readonly<Record<string, Json>>;
  /** How often it was passed on. */
  readonly level: number;
  /** Names of the channels that were told. */
  readonly notified: readonly string[];
  readonly escalateAt: Date | null;
  readonly openedAt: Date;
  readonly lastAt: Date;
  readonly acknowledgedAt: Date | null;
  readonly acknowledgedBy: string | null;
  readonly resolvedAt: Date | null;
  readonly resolvedBy: string | null;
}

const columns: Sql = sql`a.tenant_id as "tenantId", a.id, a.key, a.code, a.severity, a.message, a.state, a.count,
  a.event_id as "eventId", a.target_kind as "targetKind", a.target_id as "targetId", a.details, a.level, a.notified,
  a.escalate_at as "escalateAt", a.opened_at as "openedAt", a.last_at as "lastAt", a.acknowledged_at as "acknowledgedAt",
  a.acknowledged_by as "acknowledgedBy", a.resolved_at as "resolvedAt", a.resolved_by as "resolvedBy"`;

const rank = (column: Sql): Sql => sql`array_position(array['low', 'medium', 'high', 'critical'], ${column})`;

export interface Raised extends Alert {
  /** It is new, graver than before, or nobody was told for the window: whoever is responsible is to be told. */
  readonly tell: boolean;
  readonly isNew: boolean;
}

/** Opens an alert or counts up the one that is not resolved. An acknowledged one that grows graver is open again. */
export async function raise(tx: Tx, c: Cause, windowMs: number): Promise<Raised> {
  const id = newId();
  const [row] = await tx.query<Raised>(sql`/* alerts.raise */
    insert into alert as a (tenant_id, id, key, code, severity, message, state, count, event_id, target_kind, target_id, details)
    values (${c.tenantId}, ${id}, ${c.key}, ${c.code}, ${c.severity}, ${c.message}, 'open', ${c.count}, ${c.eventId},
      ${c.target?.kind ?? null}, ${c.target?.id ?? null}, ${JSON.stringify(c.details)}::jsonb)
    on conflict (tenant_id, key) where state <> 'resolved' do update set count = a.count + excluded.count, last_at = now(),
      severity = case when ${rank(sql`excluded.severity`)} > ${rank(sql`a.severity`)} then excluded.severity else a.severity end,
      state = case when ${rank(sql`excluded.severity`)} > ${rank(sql`a.severity`)} then 'open' else a.state end,
      notified_at = case when ${rank(sql`excluded.severity`)} > ${rank(sql`a.severity`)}
        or (a.state = 'open' and a.notified_at < now() - make_interval(secs => ${windowMs}::float8 / 1000)) then now() else a.notified_at end
    returning ${columns}, a.notified_at = now() as tell, a.id = ${id}::uuid as "isNew"`);
  if (row === undefined) throw new Error("an upsert returned no row");
  return row;
}

/** What follows from having told channels: the next step of the ladder. `minutes` null: there is none. */
export const noteNotified = (
  tx: Tx,
  alert: Alert,
  n: { readonly channels: readonly string[]; readonly level: number; readonly minutes: number | null },
): Promise<unknown> =>
  tx.query(sql`/* alerts.noteNotified */
    update alert set level = ${n.level}, notified_at = now(),
      notified = array(select distinct x from unnest(notified || ${[...n.channels]}::text[]) x order by x),
      escalate_at = now() + make_interval(mins => ${n.minutes}::int)
    where tenant_id = ${alert.tenantId} and id = ${alert.id}`);

export interface Entry {
  readonly tenantId: string;
  readonly alertId: string;
  readonly kind:
    | "opened"
    | "repeated"
    | "notified"
    | "delivered"
    | "delivery_failed"
    | "given_up"
    | "escalated"
    | "acknowledged"
    | "resolved";
  readonly channel?: string | null;
  readonly principalId?: string | null;
  readonly note?: string | null;
}

export const addEntry = (tx: Tx, e: Entry): Promise<unknown> =>
  tx.query(sql`/* alerts.addEntry */
    insert into alert_entry (tenant_id, alert_id, id, kind, channel, principal_id, note)
    values (${e.tenantId}, ${e.alertId}, ${newId()}, ${e.kind}, ${e.channel ?? null}, ${e.principalId ?? null}, ${e.note ?? null})`);

/** Unanswered alerts whose time has come, locked; those that another process holds are left out. */
export const claimOverdue = (tx: Tx, limit: number): Promise<Alert[]> =>
  tx.query<Alert>(sql`/* alerts.claimOverdue */
    select ${columns} from alert a where a.escalate_at <= now() and a.state = 'open' order by a.escalate_at limit ${limit} for update skip locked`);

/** Milliseconds until the next alert is to be passed on, or null. */
export async function nextEscalation(db: Database): Promise<number | null> {
  const [row] = await db.system.query<{ ms: number | null }>(sql`/* alerts.nextEscalation */
    select (extract(epoch from min(a.escalate_at) - now()) * 1000)::float8 as ms from alert a where a.escalate_at is not null`);
  return row?.ms ?? null;
}

/** Ends the alerts of a target that have these codes. Across tenants. */
export const endWaits = (
  tx: Tx,
  tenantId: string,
  targetId: string,
  codes: readonly string[],
): Promise<Alert[]> =>
  tx.query<Alert>(sql`/* alerts.endWaits */
    update alert a set state = 'resolved', resolved_at = now(), escalate_at = null
    where a.tenant_id = ${tenantId} and a.target_id = ${targetId} and a.code = any(${[...codes]}::text[]) and a.state <> 'resolved'
    returning ${columns}`);

export interface AlertFilter {
  readonly state?: AlertState | undefined;
  readonly severity?: AlertSeverity | undefined;
  readonly code?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** Newest first. */
export const listAlerts = (
  db: Db,
  tenantId: string,
  f: AlertFilter,
  page: { readonly limit: number; readonly before?: string | undefined },
): Promise<Alert[]> =>
  db.query<Alert>(sql`/* alerts.list */
    select ${columns} from alert a where a.tenant_id = ${tenantId}
      and (${page.before ?? null}::uuid is null or a.id < ${page.before ?? null}::uuid)
      and (${f.state ?? null}::text is null or a.state = ${f.state ?? null}::text)
      and (${f.severity ?? null}::text is null or a.severity = ${f.severity ?? null}::text)
      and (${f.code ?? null}::text is null or a.code = ${f.code ?? null}::text)
      and (${f.from ?? null}::timestamptz is null or a.last_at >= ${f.from ?? null}::timestamptz)
      and (${f.to ?? null}::timestamptz is null or a.last_at < ${f.to ?? null}::timestamptz)
    order by a.id desc limit ${page.limit}`);

export const findAlert = (db: Db, tenantId: string, id: string): Promise<Alert[]> =>
  db.query<Alert>(
    sql`/* alerts.find */ select ${columns} from alert a where a.tenant_id = ${tenantId} and a.id = ${id}`,
  );

export interface StoredEntry {
  readonly kind: Entry["kind"];
  readonly channel: string | null;
  readonly principalId: string | null;
  readonly note: string | null;
  readonly at: Date;
}

/** The last 500, oldest first. */
export const listEntries = (db: Db, tenantId: string, alertId: string): Promise<StoredEntry[]> =>
  db.query<StoredEntry>(sql`/* alerts.listEntries */
    select e.kind, e.channel, e."principalId", e.note, e.at from (select x.id, x.kind, x.channel, x.principal_id as "principalId", x.note, x.at
      from alert_entry x where x.tenant_id = ${tenantId} and x.alert_id = ${alertId} order by x.id desc limit 500) e order by e.id`);

/** Of two who answer one moves it. */
export const acknowledge = (tx: Tx, tenantId: string, id: string, by: string): Promise<Alert[]> =>
  tx.query<Alert>(sql`/* alerts.acknowledge */
    update alert a set state = 'acknowledged', acknowledged_at = now(), acknowledged_by = ${by}, escalate_at = null
    where a.tenant_id = ${tenantId} and a.id = ${id} and a.state = 'open' returning ${columns}`);

export const resolve = (tx: Tx, tenantId: string, id: string, by: string): Promise<Alert[]> =>
  tx.query<Alert>(sql`/* alerts.resolve */
    update alert a set state = 'resolved', resolved_at = now(), resolved_by = ${by}, escalate_at = null
    where a.tenant_id = ${tenantId} and a.id = ${id} and a.state <> 'resolved' returning ${columns}`);

interface RouteRow {
  readonly tenantId: string;
  readonly severity: AlertSeverity;
  readonly channels: string[];
  readonly atOnce: number;
  readonly escalationMinutes: number;
}

export async function listRoutes(
  db: Db,
  tenantIds: readonly string[],
): Promise<(AlertRoute & { tenantId: string })[]> {
  const rows = await db.query<RouteRow>(sql`/* alerts.listRoutes */
    select r.tenant_id as "tenantId", r.severity, r.channels, r.at_once as "atOnce", r.escalation_minutes as "escalationMinutes"
    from alert_route r where r.tenant_id = any(${[...tenantIds]}::uuid[])`);
  return rows.map((row) => ({ ...row, stored: true }));
}

export const putRoute = (
  tx: Tx,
  tenantId: string,
  by: string,
  r: Omit<AlertRoute, "stored">,
): Promise<unknown> =>
  tx.query(sql`/* alerts.putRoute */
    insert into alert_route (tenant_id, severity, channels, at_once, escalation_minutes, updated_by)
    values (${tenantId}, ${r.severity}, ${[...r.channels]}::text[], ${r.atOnce}, ${r.escalationMinutes}, ${by})
    on conflict (tenant_id, severity) do update set channels = excluded.channels, at_once = excluded.at_once,
      escalation_minutes = excluded.escalation_minutes, updated_by = excluded.updated_by, updated_at = now()`);

export const listRules = (
  db: Db,
  tenantIds: readonly string[],
): Promise<(AlertRule & { tenantId: string })[]> =>
  db.query<AlertRule & { tenantId: string }>(sql`/* alerts.listRules */
    select r.tenant_id as "tenantId", r.name, r.types, r.min_severity as "minSeverity", r.min_count as "minCount", r.severity, r.enabled
    from alert_rule r where r.tenant_id = any(${[...tenantIds]}::uuid[]) order by r.name collate "C"`);

export const putRule = (tx: Tx, tenantId: string, by: string, r: AlertRule): Promise<unknown> =>
  tx.query(sql`/* alerts.putRule */
    insert into alert_rule (tenant_id, name, types, min_severity, min_count, severity, enabled, updated_by)
    values (${tenantId}, ${r.name}, ${[...r.types]}::text[], ${r.minSeverity satisfies Severity}, ${r.minCount}, ${r.severity}, ${r.enabled}, ${by})
    on conflict (tenant_id, name) do update set types = excluded.types, min_severity = excluded.min_severity,
      min_count = excluded.min_count, severity = excluded.severity, enabled = excluded.enabled, updated_by = excluded.updated_by, updated_at = now()`);

export const deleteRule = (tx: Tx, tenantId: string, name: string): Promise<{ name: string }[]> =>
  tx.query(sql`/* alerts.deleteRule */
    delete from alert_rule r where r.tenant_id = ${tenantId} and r.name = ${name} returning r.name`);

/** Resolved alerts whose time is over, with their entries. Across tenants. Returns how many of at most `limit`. */
export async function forget(db: Database, keepDays: number, limit: number): Promise<number> {
  const [row] = await db.system.query<{ n: number }>(sql`/* alerts.forget */
    with doomed as (select tenant_id, id from alert where state = 'resolved' and resolved_at < now() - make_interval(days => ${keepDays}) limit ${limit}),
    entries as (delete from alert_entry e using doomed d where e.tenant_id = d.tenant_id and e.alert_id = d.id),
    gone as (delete from alert a using doomed d where a.tenant_id = d.tenant_id and a.id = d.id returning 1)
    select count(*)::int4 as n from gone`);
  return row?.n ?? 0;
}
