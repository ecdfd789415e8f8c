/** SQL of security events. Reads act for one tenant; what routes and counts runs across tenants. */
import { type Database, type Db, defineWrite, type Sql, sql, type Tx } from "#platform/db";
import type { Json } from "#platform/kernel";
import type { EventType, Severity } from "./catalogue.ts";
import type { SecurityEvent } from "./domain.ts";

export interface EventRow {
  tenant_id: string;
  id: string;
  type: string;
  severity: string;
  outcome: string;
  actor_id: string | null;
  actor_kind: string | null;
  actor_name: string | null;
  target_kind: string | null;
  target_id: string | null;
  request_id: string | null;
  source: string | null;
  message: string;
  details: string;
}

const columns = {
  tenant_id: "uuid",
  id: "uuid",
  type: "text",
  severity: "text",
  outcome: "text",
  actor_id: "uuid",
  actor_kind: "text",
  actor_name: "text",
  target_kind: "text",
  target_id: "text",
  request_id: "text",
  source: "text",
  message: "text",
  details: "jsonb",
} as const;

export const insertSecurityEvent = defineWrite<EventRow>({
  name: "events.insert",
  order: 78,
  columns,
  text: `/* events.insert */ insert into security_event (tenant_id, id, type, severity, outcome, actor_id, actor_kind, actor_name,
      target_kind, target_id, request_id, source, message, details)
    select b.tenant_id, b.id, b.type, b.severity, b.outcome, b.actor_id, b.actor_kind, b.actor_name,
      b.target_kind, b.target_id, b.request_id, b.source, b.message, b.details from batch b`,
});

export interface TallyRow extends EventRow {
  count: number;
  /** Milliseconds since the first and the last occurrence, and until it is told. */
  first_ms: number;
  last_ms: number;
  route_ms: number;
}

/** One row for many occurrences: written again as they grow more. Grown after it was told, it is told again. */
export const putTally = defineWrite<TallyRow>({
  name: "events.tally",
  order: 79,
  columns: { ...columns, count: "int8", first_ms: "float8", last_ms: "float8", route_ms: "float8" },
  text: `/* events.tally */ insert into security_event as e (tenant_id, id, type, severity, outcome, actor_id, actor_kind, actor_name,
      target_kind, target_id, request_id, source, message, details, count, first_at, last_at, route_at)
    select b.tenant_id, b.id, b.type, b.severity, b.outcome, b.actor_id, b.actor_kind, b.actor_name,
      b.target_kind, b.target_id, b.request_id, b.source, b.message, b.details, b.count, now() - make_interval(secs => b.first_ms / 1000),
      now() - make_interval(secs => b.last_ms / 1000), now() + make_interval(secs => b.route_ms / 1000) from batch b
    on conflict (tenant_id, id) do update set count = excluded.count, last_at = excluded.last_at, route_at = excluded.route_at
      where e.count < excluded.count or e.route_at > excluded.route_at`,
});

interface StoredRow {
  tenantId: string;
  id: string;
  type: EventType;
  severity: Severity;
  outcome: "success" | "failure";
  actorId: string | null;
  actorKind: string | null;
  actorName: string | null;
  targetKind: string | null;
  targetId: string | null;
  requestId: string | null;
  source: string | null;
  message: string;
  details: Record<string, Json>;
  count: number;
  firstAt: Date;
  lastAt: Date;
}

const picked: Sql = sql`e.tenant_id as "tenantId", e.id, e.type, e.severity, e.outcome, e.actor_id as "actorId",
  e.actor_kind as "actorKind", e.actor_name as "actorName", e.target_kind as "targetKind", e.target_id as "targetId",
  e.request_id as "requestId", e.source, e.message, e.details, e.count, e.first_at as "firstAt", e.last_at as "lastAt"`;

const toEvent = ({
  actorId,
  actorKind,
  actorName,
  targetKind,
  targetId,
  ...rest
}: StoredRow): SecurityEvent => ({
  ...rest,
  actor: actorId === null ? null : { id: actorId, kind: actorKind ?? "", name: actorName ?? "" },
  target: targetKind === null || targetId === null ? null : { kind: targetKind, id: targetId },
});

export interface EventFilter {
  readonly type?: string | undefined;
  readonly severity?: Severity | undefined;
  readonly outcome?: "success" | "failure" | undefined;
  readonly actorId?: string | undefined;
  readonly source?: string | undefined;
  readonly requestId?: string | undefined;
  /** `from` is included, `to` is not; of the last occurrence. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

export interface EventPage {
  readonly limit: number;
  /** Id of the last event of the page before. */
  readonly before?: string | undefined;
}

/** Newest first. */
export async function listEvents(
  db: Db,
  tenantId: string,
  f: EventFilter,
  { limit, before }: EventPage,
): Promise<SecurityEvent[]> {
  const rows = await db.query<StoredRow>(sql`/* events.list */
    select ${picked} from security_event e where e.tenant_id = ${tenantId}
      and (${before ?? null}::uuid is null or e.id < ${before ?? null}::uuid)
      and (${f.type ?? null}::text is null or e.type = ${f.type ?? null}::text)
      and (${f.severity ?? null}::text is null or e.severity = ${f.severity ?? null}::text)
      and (${f.outcome ?? null}::text is null or e.outcome = ${f.outcome ?? null}::text)
      and (${f.actorId ?? null}::uuid is null or e.actor_id = ${f.actorId ?? null}::uuid)
      and (${f.source ?? null}::text is null or e.source = ${f.source ?? null}::text)
      and (${f.requestId ?? null}::text is null or e.request_id = ${f.requestId ?? null}::text)
      and (${f.from ?? null}::timestamptz is null or e.last_at >= ${f.from ?? null}::timestamptz)
      and (${f.to ?? null}::timestamptz is null or e.last_at < ${f.to ?? null}::timestamptz)
    order by e.id desc limit ${limit}`);
  return rows.map(toEvent);
}

export async function findEvent(db: Db, tenantId: string, id: string): Promise<SecurityEvent | undefined> {
  const [row] = await db.query<StoredRow>(sql`/* events.find */
    select ${picked} from security_event e where e.tenant_id = ${tenantId} and e.id = ${id}`);
  return row && toEvent(row);
}

/** Events that nobody has been told of, oldest first, locked for the transaction; those that others hold are left out. */
export async function claimUnrouted(tx: Tx, limit: number): Promise<SecurityEvent[]> {
  const rows = await tx.query<StoredRow>(sql`/* events.claim */
    select ${picked} from security_event e where e.route_at <= now() order by e.route_at limit ${limit} for update skip locked`);
  return rows.map(toEvent);
}

/** They are told; or, with `afterMs`, they are to be told again then. */
export const markRouted = (
  tx: Tx,
  events: readonly SecurityEvent[],
  afterMs: number | null = null,
): Promise<unknown> =>
  tx.query(sql`/* events.routed */
    update security_event e set route_at = now() + make_interval(secs => ${afterMs}::float8 / 1000)
    from unnest(${events.map((e) => e.tenantId)}::uuid[], ${events.map((e) => e.id)}::uuid[]) as d (tenant_id, id)
    where e.tenant_id = d.tenant_id and e.id = d.id`);

/** Milliseconds until the next event is to be told; null: none. */
export async function nextRoute(db: Database): Promise<number | null> {
  const [row] = await db.system.query<{ ms: number | null }>(sql`/* events.next */
    select (extract(epoch from min(e.route_at) - now()) * 1000)::float8 as ms from security_event e where e.route_at is not null`);
  return row?.ms ?? null;
}

export async function countUnrouted(db: Database): Promise<number> {
  const [row] = await db.system.query<{ n: number }>(sql`/* events.pending */
    select count(*)::int4 as n from security_event e where e.route_at <= now()`);
  return row?.n ?? 0;
}

/** The tenant that was there first: the operator's. */
export async function findOperator(db: Database): Promise<string | null> {
  const [row] = await db.system.query<{ id: string }>(
    sql`/* events.operator */ select i.tenant_id as id from installation i`,
  );
  return row?.id ?? null;
}
