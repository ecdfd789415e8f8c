import { type Db, nothing, sql, type Tx } from "#platform/db";
import type {
  BundleSource,
  CompiledPolicy,
  CompiledTemplate,
  PolicyVersion,
  PolicyVersionDetail,
} from "./domain.ts";
import type { FactSpec } from "./facts.ts";
import type { Grant } from "./grant.ts";
import { listLiveGrants } from "./grant-store.ts";

/** What decisions of a tenant follow. `revision` rises with every publication; 0 before the first. */
export interface Head {
  readonly revision: number;
  readonly policyId: string | null;
  readonly schema: string | null;
}

export interface Publication {
  readonly policyId: string;
  readonly version: number;
  readonly digest: string;
  readonly source: BundleSource;
  readonly facts: readonly FactSpec[];
  readonly schema: string;
  readonly engine: string;
  readonly compiled: readonly (CompiledPolicy | CompiledTemplate)[];
}

/** A candidate beside it. `share` of decisions, in percent, ask it as well. */
export interface ShadowRow extends Publication {
  readonly share: number;
  readonly since: string;
}

/** All that decisions of a tenant follow. */
export interface Force {
  readonly revision: number;
  readonly publication: Publication | null;
  readonly shadow: ShadowRow | null;
  readonly grants: readonly Grant[];
  /** When the first of the grants expires, in milliseconds since 1970. */
  readonly until: number | null;
}

const columns = sql`p.id, p.version, p.source->>'name' as name, p.state, p.digest, p.schema_digest as schema,
  p.engine, p.policies, coalesce(jsonb_array_length(p.source->'cases'), 0) as cases,
  p.created_by as "createdBy", p.created_at as "createdAt", p.published_by as "publishedBy",
  p.published_at as "publishedAt", p.retired_at as "retiredAt"`;

/** Takes the next version number and inserts a draft. Two at once get two numbers. */
export async function insertDraft(
  tx: Tx,
  draft: {
    readonly tenantId: string;
    readonly id: string;
    readonly source: BundleSource;
    readonly digest: string;
    readonly schema: string;
    readonly engine: string;
    readonly policies: number;
    readonly createdBy: string;
  },
): Promise<PolicyVersion> {
  const [row] = await tx.query<PolicyVersion>(sql`/* policy.insertDraft */
    with head as (
      insert into policy_head (tenant_id, last_version) values (${draft.tenantId}::uuid, 1)
      on conflict (tenant_id) do update set last_version = policy_head.last_version + 1
      returning last_version
    ), p as (
      insert into policy (tenant_id, id, version, source, digest, schema_digest, engine, policies, created_by)
      select ${draft.tenantId}::uuid, ${draft.id}::uuid, head.last_version, ${JSON.stringify(draft.source)}::jsonb,
        ${draft.digest}, ${draft.schema}, ${draft.engine}, ${draft.policies}::int, ${draft.createdBy}::uuid
      from head
      returning *
    ) select ${columns} from p`);
  if (row === undefined) throw new Error("the insert of a policy version returned no row");
  return row;
}

export async function findVersion(
  db: Db,
  tenantId: string,
  id: string,
): Promise<PolicyVersionDetail | undefined> {
  const [row] = await db.query<PolicyVersionDetail>(sql`/* policy.findVersion */
    select ${columns}, p.source from policy p where p.tenant_id = ${tenantId}::uuid and p.id = ${id}::uuid`);
  return row;
}

export async function findNumbered(db: Db, tenantId: string, version: number): Promise<string | undefined> {
  const [row] = await db.query<{ id: string }>(sql`/* policy.findNumbered */
    select p.id from policy p where p.tenant_id = ${tenantId}::uuid and p.version = ${version}::int`);
  return row?.id;
}

/** Newest first, those below `before`. */
export const listVersions = (
  db: Db,
  tenantId: string,
  page: { readonly before: number | null; readonly limit: number },
): Promise<PolicyVersion[]> =>
  db.query<PolicyVersion>(sql`/* policy.listVersions */
    select ${columns} from policy p
    where p.tenant_id = ${tenantId}::uuid ${page.before === null ? nothing : sql`and p.version < ${page.before}::int`}
    order by p.version desc limit ${page.limit}::int`);

/** The version that was in force before the one that is now. */
export async function findPrevious(db: Db, tenantId: string): Promise<string | undefined> {
  const [row] = await db.query<{ id: string }>(sql`/* policy.findPrevious */
    select p.id from policy p where p.tenant_id = ${tenantId}::uuid and p.state = 'retired'
    order by p.retired_at desc, p.version desc limit 1`);
  return row?.id;
}

const noHead: Head = { revision: 0, policyId: null, schema: null };

export async function findHead(db: Db, tenantId: string): Promise<Head> {
  const [row] = await db.query<Head>(sql`/* policy.findHead */
    select h.revision, h.policy_id as "policyId", h.schema_digest as schema
    from policy_head h where h.tenant_id = ${tenantId}::uuid`);
  return row ?? noHead;
}

/** Serialises the publications of a tenant until the transaction ends. */
export async function lockHead(tx: Tx, tenantId: string): Promise<Head> {
  const [row] = await tx.query<Head>(sql`/* policy.lockHead */
    select h.revision, h.policy_id as "policyId", h.schema_digest as schema
    from policy_head h where h.tenant_id = ${tenantId}::uuid for update`);
  return row ?? noHead;
}

export async function findForce(db: Db, tenantId: string): Promise<Force> {
  const [row] = await db.query<
    Publication & { revision: number; shadow: Omit<ShadowRow, "version" | "digest" | "source"> | null }
  >(sql`/* policy.findForce */
    select h.revision, h.shadow, p.id as "policyId", p.version, p.digest, p.source, h.facts, h.schema_digest as schema,
      h.engine, h.compiled
    from policy_head h
    left join policy p on p.tenant_id = h.tenant_id and p.id = h.policy_id
    where h.tenant_id = ${tenantId}::uuid`);
  if (row === undefined) return { revision: 0, publication: null, shadow: null, grants: [], until: null };
  const { revision, shadow, ...publication } = row;
  const candidate = shadow === null ? undefined : await findVersion(db, tenantId, shadow.policyId);
  const { grants, until } = await listLiveGrants(db, tenantId);
  return {
    revision,
    publication: publication.policyId === null ? null : publication,
    shadow:
      shadow === null || candidate === undefined
        ? null
        : { ...shadow, version: candidate.version, digest: candidate.digest, source: candidate.source },
    grants,
    until,
  };
}

export interface Settings {
  readonly shadow: { readonly policyId: string; readonly share: number; readonly since: string } | null;
  readonly replayRequired: boolean | null;
}

export async function findSettings(db: Db, tenantId: string): Promise<Settings> {
  const [row] = await db.query<Settings>(sql`/* policy.findSettings */
    select h.replay_required as "replayRequired", case when h.shadow is null then null else jsonb_build_object(
      'policyId', h.shadow -> 'policyId', 'share', h.shadow -> 'share', 'since', h.shadow -> 'since') end as shadow
    from policy_head h where h.tenant_id = ${tenantId}::uuid`);
  return row ?? { shadow: null, replayRequired: null };
}

/** Under the lock of the head: other processes see it within a second. */
export async function setShadow(
  tx: Tx,
  tenantId: string,
  shadow: Omit<ShadowRow, "version" | "digest" | "source"> | null,
): Promise<void> {
  await tx.query(sql`/* policy.setShadow */
    update policy_head h set revision = h.revision + 1,
      shadow = ${shadow === null ? null : JSON.stringify(shadow)}::jsonb
    where h.tenant_id = ${tenantId}::uuid`);
}

export async function setReplayRequired(tx: Tx, tenantId: string, required: boolean | null): Promise<void> {
  await tx.query(sql`/* policy.setReplayRequired */
    insert into policy_head (tenant_id, replay_required) values (${tenantId}::uuid, ${required}::boolean)
    on conflict (tenant_id) do update set replay_required = excluded.replay_required`);
}

/** Tells every process that what decides has changed. */
export async function touchHead(tx: Tx, tenantId: string): Promise<void> {
  await tx.query(sql`/* policy.touchHead */
    update policy_head h set revision = h.revision + 1 where h.tenant_id = ${tenantId}::uuid`);
}

/** Under the lock of the head: the published version retires, this one takes its place. */
export async function publishVersion(
  tx: Tx,
  tenantId: string,
  by: string,
  publication: Omit<Publication, "source" | "version" | "digest">,
): Promise<PolicyVersion> {
  const { policyId } = publication;
  await tx.query(sql`/* policy.retire */
    update policy p set state = 'retired', retired_at = now()
    where p.tenant_id = ${tenantId}::uuid and p.state = 'published' and p.id <> ${policyId}::uuid`);
  const [row] = await tx.query<PolicyVersion>(sql`/* policy.publish */
    update policy p set state = 'published', published_by = ${by}::uuid, published_at = now(), retired_at = null
    where p.tenant_id = ${tenantId}::uuid and p.id = ${policyId}::uuid
    returning ${columns}`);
  if (row === undefined) throw new Error("the policy version to publish is gone");
  await tx.query(sql`/* policy.moveHead */
    update policy_head h set revision = h.revision + 1, policy_id = ${policyId}::uuid,
      facts = ${JSON.stringify(publication.facts)}::jsonb, schema_digest = ${publication.schema},
      engine = ${publication.engine}, compiled = ${JSON.stringify(publication.compiled)}::jsonb,
      shadow = case when h.shadow ->> 'policyId' = ${policyId} then null else h.shadow end
    where h.tenant_id = ${tenantId}::uuid`);
  return row;
}
