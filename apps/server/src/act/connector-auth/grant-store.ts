/** SQL of the credentials that connections obtained. Times are the database's. */
import { type Database, type Db, sql, type Tx } from "#platform/db";

export interface GrantKey {
  readonly tenantId: string;
  readonly connectionId: string;
}

export interface GrantRow {
  readonly kind: "token" | "cookies";
  /** Of the settings with which it was obtained. */
  readonly digest: string;
  readonly sealed: Uint8Array | null;
  readonly version: number;
  /** Milliseconds for which it still holds; null: nobody said. */
  readonly leftMs: number | null;
  readonly ageMs: number | null;
  readonly validUntil: Date | null;
  readonly obtainedAt: Date | null;
  readonly failures: number;
  /** Milliseconds until the next attempt; null or below 0: now. */
  readonly retryMs: number | null;
  readonly retryAt: Date | null;
  readonly lastError: string | null;
  readonly lastErrorAt: Date | null;
  readonly needsPerson: boolean;
}

export async function findGrant(db: Db, key: GrantKey): Promise<GrantRow | undefined> {
  const [row] = await db.query<GrantRow>(sql`/* connector_auth.find_grant */
    select kind, digest, sealed, version, valid_until as "validUntil", obtained_at as "obtainedAt",
      (extract(epoch from valid_until - now()) * 1000)::float8 as "leftMs",
      (extract(epoch from now() - obtained_at) * 1000)::float8 as "ageMs",
      failures, (extract(epoch from retry_at - now()) * 1000)::float8 as "retryMs", retry_at as "retryAt",
      last_error as "lastError", last_error_at as "lastErrorAt", needs_person as "needsPerson"
    from connection_grant where tenant_id = ${key.tenantId} and connection_id = ${key.connectionId}`);
  return row;
}

/** Who may obtain the next one now: one holder, until it stores, fails, or is silent for `claimMs`. */
export async function claimGrant(
  tx: Tx,
  key: GrantKey,
  at: { kind: "token" | "cookies"; digest: string; version: number; claim: string; claimMs: number },
): Promise<boolean> {
  const seconds = at.claimMs / 1_000;
  const rows = await tx.query(sql`/* connector_auth.claim_grant */
    insert into connection_grant as g (tenant_id, connection_id, kind, digest, claim, claimed_until)
    values (${key.tenantId}, ${key.connectionId}, ${at.kind}, ${at.digest}, ${at.claim},
      now() + make_interval(secs => ${seconds}))
    on conflict (tenant_id, connection_id) do update
      set claim = excluded.claim, claimed_until = excluded.claimed_until
      where g.version = ${at.version} and (g.claim is null or g.claimed_until < now())
    returning 1 as one`);
  return rows.length > 0;
}

/** False when the claim is no longer held: another process took over, and what this one obtained is dropped. */
export async function storeGrant(
  tx: Tx,
  key: GrantKey,
  claim: string,
  to: {
    kind: "token" | "cookies";
    digest: string;
    sealed: Uint8Array;
    lifetimeMs: number | null;
    refreshMs: number | null;
  },
): Promise<{ version: number } | undefined> {
  const [row] = await tx.query<{ version: number }>(sql`/* connector_auth.store_grant */
    update connection_grant set kind = ${to.kind}, digest = ${to.digest}, sealed = ${to.sealed},
      version = version + 1, obtained_at = now(),
      valid_until = now() + make_interval(secs => ${to.lifetimeMs}::float8 / 1000),
      refresh_at = now() + make_interval(secs => ${to.refreshMs}::float8 / 1000),
      claim = null, claimed_until = null, failures = 0, retry_at = null, last_error = null,
      last_error_at = null, needs_person = false
    where tenant_id = ${key.tenantId} and connection_id = ${key.connectionId} and claim = ${claim}
    returning version`);
  return row;
}

/** Remembers the failure and when to try again: 2 s, doubled with each one, at most 5 min. */
export const failGrant = (
  tx: Tx,
  key: GrantKey,
  claim: string,
  why: { error: string; needsPerson: boolean },
): Promise<unknown[]> =>
  tx.query(sql`/* connector_auth.fail_grant */
    update connection_grant set claim = null, claimed_until = null, failures = failures + 1,
      retry_at = now() + make_interval(secs => least(300, 2 * power(2, least(failures, 10)))),
      last_error = ${why.error}, last_error_at = now(), needs_person = ${why.needsPerson}
    where tenant_id = ${key.tenantId} and connection_id = ${key.connectionId} and claim = ${claim}`);

/** A consent replaces whatever is there, also what another process is about to store. */
export const replaceGrant = (
  tx: Tx,
  key: GrantKey,
  to: {
    kind: "token";
    digest: string;
    sealed: Uint8Array;
    lifetimeMs: number | null;
    refreshMs: number | null;
  },
): Promise<unknown[]> =>
  tx.query(sql`/* connector_auth.replace_grant */
    insert into connection_grant as g (tenant_id, connection_id, kind, digest, sealed, version, obtained_at,
      valid_until, refresh_at)
    values (${key.tenantId}, ${key.connectionId}, ${to.kind}, ${to.digest}, ${to.sealed}, 1, now(),
      now() + make_interval(secs => ${to.lifetimeMs}::float8 / 1000),
      now() + make_interval(secs => ${to.refreshMs}::float8 / 1000))
    on conflict (tenant_id, connection_id) do update set kind = excluded.kind, digest = excluded.digest,
      sealed = excluded.sealed, version = g.version + 1, obtained_at = now(), valid_until = excluded.valid_until,
      refresh_at = excluded.refresh_at, claim = null, claimed_until = null, failures = 0, retry_at = null,
      last_error = null, last_error_at = null, needs_person = false`);

export interface DueGrant extends GrantKey {
  readonly version: number;
}

/** Credentials of all tenants that should be renewed now, and when the next one is. */
export async function dueGrants(
  db: Database,
  limit: number,
): Promise<{ due: DueGrant[]; nextMs: number | null }> {
  const due = await db.system.query<DueGrant>(sql`/* connector_auth.due_grants */
    select tenant_id as "tenantId", connection_id as "connectionId", version from connection_grant
    where refresh_at <= now() and not needs_person and (retry_at is null or retry_at <= now())
      and (claim is null or claimed_until < now())
    order by refresh_at limit ${limit}`);
  const [next] = await db.system.query<{ ms: number | null }>(sql`/* connector_auth.next_grant */
    select (extract(epoch from min(greatest(refresh_at, coalesce(retry_at, refresh_at))) - now()) * 1000)::float8 as ms
    from connection_grant where refresh_at is not null and not needs_person
      and greatest(refresh_at, coalesce(retry_at, refresh_at)) > now()`);
  return { due, nextMs: next?.ms ?? null };
}

/** A changed connection has no use for what its old settings obtained; `digest` of the new ones, null: none. */
export const dropOtherGrants = (tx: Tx, key: GrantKey, digest: string | null): Promise<unknown[]> =>
  tx.query(sql`/* connector_auth.drop_other_grants */
    delete from connection_grant where tenant_id = ${key.tenantId} and connection_id = ${key.connectionId}
      and digest is distinct from ${digest}::text`);
