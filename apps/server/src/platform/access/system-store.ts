/**
 * The statements of this room that run across tenants: finding the tenant of a credential, and making tenants.
 * A credential is looked up before its tenant is known, so row-level security cannot help here; everything
 * else of the room acts for one tenant (`store.ts`).
 */
import { type Database, sql, type Tx } from "#platform/db";
import type { Identity, Tenant } from "./domain.ts";

export interface KeyRow extends Identity {
  readonly keyId: string;
  readonly hash: Uint8Array;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
}

/** The live key of that prefix with its active principal; nothing when either is revoked, expired or disabled. */
export const findLiveKey = (db: Database, prefix: string): Promise<KeyRow[]> =>
  db.system.query(sql`/* access.find_live_key */
    select k.id as "keyId", k.hash, k.expires_at as "expiresAt", k.last_used_at as "lastUsedAt",
      p.tenant_id as "tenantId", p.id, p.kind, p.name, p.owner_id as "ownerId",
      array(select r.role from principal_role r
        where r.tenant_id = p.tenant_id and r.principal_id = p.id order by r.role) as roles
    from api_key k
    join principal p on p.tenant_id = k.tenant_id and p.id = k.principal_id
    where k.prefix = ${prefix} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
      and p.status = 'active'`);

export const insertTenant = (tx: Tx, tenantId: string, name: string): Promise<Tenant[]> =>
  tx.query(sql`/* access.insert_tenant */
    insert into tenant (id, name) values (${tenantId}, ${name}) returning id, name, created_at as "createdAt"`);

/** True for the one transaction whose tenant is the first; the others wait for it and get false. */
export async function claimInstallation(tx: Tx, tenantId: string): Promise<boolean> {
  const rows = await tx.query(sql`/* access.claim_installation */
    insert into installation (id, tenant_id) values (1, ${tenantId}) on conflict (id) do nothing returning id`);
  return rows.length === 1;
}

export const findInstallation = (db: Database): Promise<{ tenantId: string }[]> =>
  db.system.query(sql`/* access.find_installation */ select tenant_id as "tenantId" from installation`);

export const listTenants = (db: Database): Promise<Tenant[]> =>
  db.system.query(sql`/* access.list_tenants */
    select id, name, created_at as "createdAt" from tenant order by id`);
