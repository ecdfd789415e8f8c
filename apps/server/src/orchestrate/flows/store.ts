import type { FlowDefinition } from "@oars/contract";
import { type Db, nothing, type Sql, sql, type Tx } from "#platform/db";
import type { FlowCall } from "./child-calls.ts";
import type { ShelvedFlow } from "./flow-shelf.ts";

/** One published version, without its definition. */
export interface FlowVersion {
  readonly tenantId: string;
  readonly id: string;
  readonly flowId: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly owner: string | null;
  readonly publishedBy: string;
  readonly publishedAt: Date;
}

export interface FlowVersionDetail extends FlowVersion {
  readonly definition: FlowDefinition;
  /** The text as it was published; null when it came as a JSON value. */
  readonly source: string | null;
}

/** A flow and its highest version. */
export interface FlowSummary extends FlowVersion {
  /** All versions, the highest first. */
  readonly versions: readonly string[];
}

const versionColumns = sql`v.tenant_id as "tenantId", v.id, v.flow_id as "flowId", v.name, v.version, v.hash,
  v.definition ->> 'owner' as owner, v.published_by as "publishedBy", v.published_at as "publishedAt"`;

const latest = sql`join flow f on f.tenant_id = v.tenant_id and f.id = v.flow_id and f.latest_version_id = v.id`;

export interface LockedFlow {
  readonly id: string;
  readonly latestVersionId: string | null;
  readonly latestVersion: string | null;
}

/** The flow of that name, made when there is none, locked until the end of the transaction. */
export async function lockFlow(tx: Tx, tenantId: string, newId: string, name: string): Promise<LockedFlow> {
  await tx.query(sql`/* flows.insert_flow */
    insert into flow (tenant_id, id, name) values (${tenantId}, ${newId}, ${name})
    on conflict (tenant_id, name) do nothing`);
  await tx.query(sql`/* flows.lock_flow */
    select f.id from flow f where f.tenant_id = ${tenantId} and f.name = ${name} for update`);
  const [row] = await tx.query<LockedFlow>(sql`/* flows.find_flow */
    select f.id, f.latest_version_id as "latestVersionId", v.version as "latestVersion"
    from flow f left join flow_version v on v.tenant_id = f.tenant_id and v.id = f.latest_version_id
    where f.tenant_id = ${tenantId} and f.name = ${name}`);
  if (row === undefined) throw new Error(`flow ${name} is gone inside the transaction that locked it`);
  return row;
}

export interface NewFlowVersion {
  readonly tenantId: string;
  readonly id: string;
  readonly flowId: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly definition: FlowDefinition;
  readonly source: string | null;
  readonly publishedBy: string;
}

export const insertVersion = (tx: Tx, v: NewFlowVersion): Promise<unknown> =>
  tx.query(sql`/* flows.insert_version */
    insert into flow_version
      (tenant_id, id, flow_id, name, version, hash, definition, source, published_by)
    values (${v.tenantId}, ${v.id}, ${v.flowId}, ${v.name}, ${v.version}, ${v.hash},
      ${JSON.stringify(v.definition)}::jsonb, ${v.source}, ${v.publishedBy})`);

export const updateLatest = (tx: Tx, tenantId: string, flowId: string, versionId: string): Promise<unknown> =>
  tx.query(sql`/* flows.update_latest */
    update flow set latest_version_id = ${versionId} where tenant_id = ${tenantId} and id = ${flowId}`);

/** A version, or the highest one for "latest". */
export async function findVersion(
  db: Db,
  tenantId: string,
  name: string,
  version: string,
): Promise<FlowVersion | undefined> {
  const [row] = await db.query<FlowVersion>(sql`/* flows.find_version */
    select ${versionColumns} from flow_version v ${byName(tenantId, name, version)}`);
  return row;
}

export async function findDetail(
  db: Db,
  tenantId: string,
  name: string,
  version: string,
): Promise<FlowVersionDetail | undefined> {
  const [row] = await db.query<FlowVersionDetail>(sql`/* flows.find_detail */
    select ${versionColumns}, v.definition, v.source from flow_version v ${byName(tenantId, name, version)}`);
  return row;
}

function byName(tenantId: string, name: string, version: string): Sql {
  if (version === "latest") return sql`${latest} where f.tenant_id = ${tenantId} and f.name = ${name}`;
  return sql`join flow f on f.tenant_id = v.tenant_id and f.id = v.flow_id
    where f.tenant_id = ${tenantId} and f.name = ${name} and v.version = ${version}`;
}

/** Names of flows whose highest version names the connection in a step; one that is computed is not seen. */
export const listUsers = (db: Db, tenantId: string, connection: string): Promise<{ name: string }[]> =>
  db.query(sql`/* flows.list_users */
    select f.name from flow_version v ${latest}
    where f.tenant_id = ${tenantId} and jsonb_path_exists(v.definition,
      '$.steps.*.with.connection ? (@ == $name)', jsonb_build_object('name', ${connection}::text))
    order by f.name limit 20`);

export async function findDefinition(
  db: Db,
  tenantId: string,
  hash: string,
): Promise<FlowDefinition | undefined> {
  const [row] = await db.query<{ definition: FlowDefinition }>(sql`/* flows.find_definition */
    select v.definition from flow_version v where v.tenant_id = ${tenantId} and v.hash = ${hash} limit 1`);
  return row?.definition;
}

/** Flows, the newest name first. `before` is the flow id that the last page ended with. */
export const listFlows = (
  db: Db,
  tenantId: string,
  page: { readonly limit: number; readonly before?: string | null },
): Promise<FlowSummary[]> =>
  db.query(sql`/* flows.list_flows */
    select ${versionColumns},
      array(select o.version from flow_version o where o.tenant_id = f.tenant_id and o.flow_id = f.id) as versions
    from flow_version v ${latest}
    where f.tenant_id = ${tenantId} ${page.before ? sql`and f.id < ${page.before}` : nothing}
    order by f.id desc limit ${page.limit}`);

/** Of each call the version that it means now. What it names and is not there is left out. */
export async function findShelved(
  db: Db,
  tenantId: string,
  calls: readonly FlowCall[],
): Promise<ShelvedFlow[]> {
  const rows = await db.query<Omit<ShelvedFlow, "params"> & { params: ShelvedFlow["params"] | null }>(
    sql`/* flows.find_shelved */
    select f.name, v.version, f.latest_version_id = v.id as "isLatest", v.definition -> 'params' as params,
      coalesce((
        select jsonb_agg(jsonb_build_object('flow', s.value #> '{with,flow}', 'version', s.value #> '{with,version}'))
        from jsonb_each(v.definition -> 'steps') s
        where s.value ->> 'use' = 'flow' or s.value ->> 'use' like 'flow@%'), '[]') as calls
    from (select distinct c.name, c.version
          from unnest(${calls.map((c) => c.flow)}::text[], ${calls.map((c) => c.version)}::text[]) as c (name, version)) w
    join flow f on f.tenant_id = ${tenantId} and f.name = w.name
    join flow_version v on v.tenant_id = f.tenant_id and v.flow_id = f.id
      and (v.version = w.version or (w.version is null and v.id = f.latest_version_id))`,
  );
  return rows.map((row) => ({ ...row, params: row.params ?? {} }));
}

/** Flows of the tenant with their versions, the newest published first; 1,000 at most: for suggestions. */
export const findFlowNames = (
  db: Db,
  tenantId: string,
): Promise<{ readonly name: string; readonly versions: readonly string[] }[]> =>
  db.query(sql`/* flows.find_flow_names */
    select f.name, array(
      select v.version from flow_version v where v.tenant_id = f.tenant_id and v.flow_id = f.id
      order by v.id desc limit 20) as versions
    from flow f where f.tenant_id = ${tenantId} and f.latest_version_id is not null order by f.id desc limit 1000`);

/**
 * Until the end of the transaction, nobody else publishes a flow of this tenant that runs others: two that
 * run each other would not see each other.
 */
export const lockCalls = (tx: Tx, tenantId: string): Promise<unknown> =>
  tx.query(sql`/* flows.lock_calls */
    select pg_advisory_xact_lock(hashtextextended(${`oars/flow-calls/${tenantId}`}, 0))`);
