import { type Database, type Db, nothing, sql, type Tx } from "#platform/db";

export interface Webhook {
  readonly tenantId: string;
  readonly slug: string;
  readonly flow: string;
  readonly version: string;
  readonly flowHash: string;
  readonly secret: string;
  readonly principalId: string;
  /** When the newest version of its flow gave the slug up. */
  readonly retiredAt: Date | null;
}

const columns = sql`w.tenant_id as "tenantId", w.slug, w.flow_name as flow, w.flow_version as version, w.flow_hash as "flowHash",
  w.secret, w.principal_id as "principalId", w.retired_at as "retiredAt"`;

/**
 * Before the sender is known there is no tenant: the slug's owners in every tenant, or the one in the tenant that
 * the sender names. Those that still have it first, then the oldest.
 */
export const findBySlug = (
  db: Database,
  slug: string,
  tenantId: string | null,
  limit: number,
): Promise<Webhook[]> =>
  db.system.query<Webhook>(sql`/* triggers.findBySlug */
    select ${columns} from webhook w where w.slug = ${slug} ${tenantId === null ? nothing : sql`and w.tenant_id = ${tenantId}`}
    order by w.retired_at is not null, w.created_at limit ${limit}`);

export const listWebhooks = (db: Db, tenantId: string): Promise<Webhook[]> =>
  db.query<Webhook>(sql`/* triggers.list */
    select ${columns} from webhook w where w.tenant_id = ${tenantId} and w.retired_at is null order by w.slug`);

/** Points the slug at this version. Returns the flow that holds the slug when that is another one. */
export async function putWebhook(tx: Tx, w: Omit<Webhook, "retiredAt">): Promise<string | undefined> {
  const put = await tx.query(sql`/* triggers.putWebhook */
    insert into webhook (tenant_id, slug, flow_name, flow_version, flow_hash, secret, principal_id)
    values (${w.tenantId}, ${w.slug}, ${w.flow}, ${w.version}, ${w.flowHash}, ${w.secret}, ${w.principalId})
    on conflict (tenant_id, slug) do update set flow_name = excluded.flow_name, flow_version = excluded.flow_version,
      flow_hash = excluded.flow_hash, secret = excluded.secret, principal_id = excluded.principal_id, updated_at = now(),
      retired_at = null
    where webhook.flow_name = excluded.flow_name or webhook.retired_at is not null returning slug`);
  if (put.length > 0) return undefined;
  const held = await tx.query<{ flow: string }>(sql`/* triggers.findHolder */
    select flow_name as flow from webhook where tenant_id = ${w.tenantId} and slug = ${w.slug}`);
  return held[0]?.flow;
}

/** A newer version of the flow may have given up slugs of the older one. Returns them. */
export async function retireOthers(
  tx: Tx,
  tenantId: string,
  flow: string,
  keep: readonly string[],
): Promise<string[]> {
  const retired = await tx.query<{ slug: string }>(sql`/* triggers.retireOthers */
    update webhook set retired_at = now()
    where tenant_id = ${tenantId} and flow_name = ${flow} and retired_at is null and not (slug = any(${keep}::text[]))
    returning slug`);
  return retired.map(({ slug }) => slug);
}
