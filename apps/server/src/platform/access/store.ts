import { type Db, nothing, sql, type Tx, uniqueViolation } from "#platform/db";
import { OarsError } from "#platform/kernel";
import type { ApiKeyInfo, Identity, Principal, PrincipalStatus, Tenant } from "./domain.ts";

const principalColumns = sql`p.tenant_id as "tenantId", p.id, p.kind, p.name, p.owner_id as "ownerId", p.status,
  p.created_at as "createdAt", array(select r.role from principal_role r
    where r.tenant_id = p.tenant_id and r.principal_id = p.id order by r.role) as roles`;

/** Throws PRINCIPAL_NAME_TAKEN. */
export async function insertPrincipal(tx: Tx, p: Identity): Promise<void> {
  try {
    await tx.query(sql`/* access.insert_principal */
      insert into principal (tenant_id, id, kind, name, owner_id)
      values (${p.tenantId}, ${p.id}, ${p.kind}, ${p.name}, ${p.ownerId})`);
  } catch (cause) {
    if (uniqueViolation(cause) !== "principal__tenant_id__name") throw cause;
    throw new OarsError("PRINCIPAL_NAME_TAKEN", { name: p.name }, { cause });
  }
  await insertRoles(tx, p.tenantId, p.id, p.roles);
}

const insertRoles = (
  tx: Tx,
  tenantId: string,
  principalId: string,
  roles: readonly string[],
): Promise<unknown> =>
  tx.query(sql`/* access.insert_roles */
    insert into principal_role (tenant_id, principal_id, role)
    select ${tenantId}, ${principalId}, role from unnest(${[...roles]}::text[]) as given (role)
    on conflict do nothing`);

export async function replaceRoles(
  tx: Tx,
  tenantId: string,
  principalId: string,
  roles: readonly string[],
): Promise<void> {
  await tx.query(sql`/* access.delete_roles */
    delete from principal_role where tenant_id = ${tenantId} and principal_id = ${principalId}`);
  await insertRoles(tx, tenantId, principalId, roles);
}

export const updateStatus = (
  tx: Tx,
  tenantId: string,
  id: string,
  status: PrincipalStatus,
): Promise<unknown> =>
  tx.query(sql`/* access.update_status */
    update principal set status = ${status} where tenant_id = ${tenantId} and id = ${id}`);

export const findPrincipalRow = (db: Db, tenantId: string, id: string): Promise<Principal[]> =>
  db.query(sql`/* access.find_principal */
    select ${principalColumns} from principal p where p.tenant_id = ${tenantId} and p.id = ${id}`);

export async function findPrincipalIdByName(
  db: Db,
  tenantId: string,
  name: string,
): Promise<string | undefined> {
  const [row] = await db.query<{ id: string }>(sql`/* access.find_principal_id */
    select p.id from principal p where p.tenant_id = ${tenantId} and p.name = ${name}`);
  return row?.id;
}

/** Locks the row until the end of the transaction. */
export const lockPrincipal = (tx: Tx, tenantId: string, id: string): Promise<unknown[]> =>
  tx.query(sql`/* access.lock_principal */
    select p.id from principal p where p.tenant_id = ${tenantId} and p.id = ${id} for update`);

/** Newest first. */
export const listPrincipalRows = (
  db: Db,
  tenantId: string,
  page: { limit: number; before: string | null },
): Promise<Principal[]> =>
  db.query(sql`/* access.list_principals */
    select ${principalColumns} from principal p
    where p.tenant_id = ${tenantId} ${page.before ? sql`and p.id < ${page.before}` : nothing}
    order by p.id desc limit ${page.limit}`);

/** The principal, active, and the key still live when a key is named. */
export const findIdentity = (
  db: Db,
  tenantId: string,
  id: string,
  keyId: string | null,
): Promise<(Identity & { status: PrincipalStatus })[]> =>
  db.query(sql`/* access.find_identity */
    select ${principalColumns} from principal p
    where p.tenant_id = ${tenantId} and p.id = ${id} ${
      keyId
        ? sql`and exists (select from api_key k where k.tenant_id = p.tenant_id and k.id = ${keyId}
            and k.principal_id = p.id and k.revoked_at is null
            and (k.expires_at is null or k.expires_at > now()))`
        : nothing
    }`);

export const findTenantRow = (db: Db, tenantId: string): Promise<Tenant[]> =>
  db.query(sql`/* access.find_tenant */
    select t.id, t.name, t.created_at as "createdAt" from tenant t where t.id = ${tenantId}`);

const keyColumns = sql`k.id, k.principal_id as "principalId", k.prefix, k.name, k.created_at as "createdAt",
  k.expires_at as "expiresAt", k.last_used_at as "lastUsedAt", k.revoked_at as "revokedAt"`;

export const insertKey = (
  tx: Tx,
  key: {
    tenantId: string;
    id: string;
    principalId: string;
    prefix: string;
    hash: Uint8Array;
    name: string | null;
    expiresAt: Date | null;
  },
): Promise<ApiKeyInfo[]> =>
  tx.query(sql`/* access.insert_key */
    insert into api_key as k (tenant_id, id, principal_id, prefix, hash, name, expires_at)
    values (${key.tenantId}, ${key.id}, ${key.principalId}, ${key.prefix}, ${key.hash}, ${key.name}, ${key.expiresAt})
    returning ${keyColumns}`);

/** Newest first; of all principals when none is named. */
export const listKeyRows = (
  db: Db,
  tenantId: string,
  page: { principalId: string | null; limit: number; before: string | null },
): Promise<ApiKeyInfo[]> =>
  db.query(sql`/* access.list_keys */
    select ${keyColumns} from api_key k where k.tenant_id = ${tenantId}
      ${page.principalId ? sql`and k.principal_id = ${page.principalId}` : nothing}
      ${page.before ? sql`and k.id < ${page.before}` : nothing}
    order by k.id desc limit ${page.limit}`);

export const findKeyRow = (db: Db, tenantId: string, id: string): Promise<ApiKeyInfo[]> =>
  db.query(sql`/* access.find_key */
    select ${keyColumns} from api_key k where k.tenant_id = ${tenantId} and k.id = ${id}`);

/** Revoking twice keeps the first time. */
export const revokeKeyRow = (tx: Tx, tenantId: string, id: string): Promise<ApiKeyInfo[]> =>
  tx.query(sql`/* access.revoke_key */
    update api_key as k set revoked_at = coalesce(k.revoked_at, now())
    where k.tenant_id = ${tenantId} and k.id = ${id} returning ${keyColumns}`);

export const touchKey = (tx: Tx, tenantId: string, id: string): Promise<unknown> =>
  tx.query(sql`/* access.touch_key */
    update api_key set last_used_at = now()
    where tenant_id = ${tenantId} and id = ${id}
      and (last_used_at is null or last_used_at < now() - interval '1 minute')`);
