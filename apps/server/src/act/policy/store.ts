import { type Db, nothing, sql, type Tx } from "#platform/db";
import type { BundleSource, CompiledPolicy, PolicyVersion, PolicyVersionDetail } from "./domain.ts";
import type { FactSpec } from "./facts.ts";

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
  readonly compiled: readonly CompiledPolicy[];
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

export async function findPublication(
  db: Db,
  tenantId: string,
): Promise<{ revision: number; publication: Publication | null }> {
  const [row] = await db.query<Publication & { revision: number }>(sql`/* policy.findPublication */
    select h.revision, p.id as "policyId", p.version, p.digest, p.source, h.facts, h.schema_digest as schema,
      h.engine, h.compiled
    from policy_head h
    left join policy p on p.tenant_id = h.tenant_id and p.id = h.policy_id
    where h.tenant_id = ${tenantId}::uuid`);
  if (row === undefined) return { revision: 0, publication: null };
  const { revision, ...publication } = row;
  return { revision, publication: publication.policyId === null ? null : publication };
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
      engine = ${publication.engine}, compiled = ${JSON.stringify(publication.compiled)}::jsonb
    where h.tenant_id = ${tenantId}::uuid`);
  return row;
}
