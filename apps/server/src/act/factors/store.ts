import { type Db, nothing, sql, type Tx } from "#platform/db";
import { challengeMinutes, type Factor, type FactorKind, windowMinutes } from "./domain.ts";

const columns = sql`f.id, f.principal_id as "principalId", f.kind, f.name, f.state, f.created_at as "createdAt",
  f.confirmed_at as "confirmedAt", f.last_used_at as "lastUsedAt"`;

export interface FactorRow extends Factor {
  readonly secret: Uint8Array | null;
  readonly lastStep: number;
  readonly credentialId: string | null;
  readonly publicKey: Uint8Array | null;
  readonly signCount: number;
  readonly transports: readonly string[];
  readonly challenge: string | null;
  readonly expired: boolean;
  /** Seconds since 1970, by the database. */
  readonly now: number;
}

const inner = sql`${columns}, f.secret, f.last_step as "lastStep", f.credential_id as "credentialId", f.public_key as "publicKey",
  f.sign_count as "signCount", f.transports, f.challenge, coalesce(f.expires_at <= now(), false) as expired,
  extract(epoch from now())::float8 as now`;

export const insertFactor = (
  tx: Tx,
  f: {
    readonly tenantId: string;
    readonly id: string;
    readonly principalId: string;
    readonly kind: FactorKind;
    readonly name: string;
    readonly secret: Uint8Array | null;
    readonly challenge: string | null;
    readonly minutes: number;
  },
): Promise<unknown> =>
  tx.query(sql`/* factors.insert */
    insert into factor (tenant_id, id, principal_id, kind, name, state, secret, challenge, expires_at)
    values (${f.tenantId}, ${f.id}, ${f.principalId}, ${f.kind}, ${f.name}, 'pending', ${f.secret}, ${f.challenge},
      now() + make_interval(mins => ${f.minutes}))`);

/** Enrolments that were never confirmed. */
export const dropStale = (tx: Tx, tenantId: string, principalId: string): Promise<unknown> =>
  tx.query(sql`/* factors.dropStale */
    delete from factor where tenant_id = ${tenantId} and principal_id = ${principalId} and state = 'pending' and expires_at <= now()`);

/** Also revoked ones, unless `live`. Oldest first. */
export const listFactors = (
  db: Db,
  tenantId: string,
  principalId: string,
  live = true,
): Promise<FactorRow[]> =>
  db.query(sql`/* factors.list */
    select ${inner} from factor f where f.tenant_id = ${tenantId} and f.principal_id = ${principalId}
      ${live ? sql`and f.state <> 'revoked'` : nothing} order by f.id limit 100`);

export async function findFactor(db: Db, tenantId: string, id: string): Promise<FactorRow | undefined> {
  const rows = await db.query<FactorRow>(sql`/* factors.find */
    select ${inner} from factor f where f.tenant_id = ${tenantId} and f.id = ${id}`);
  return rows[0];
}

/** Answers nothing when it is not pending any more, or its time is up. */
export const activateFactor = (
  tx: Tx,
  f: {
    readonly tenantId: string;
    readonly id: string;
    readonly lastStep: number;
    readonly credential: {
      readonly credentialId: string;
      readonly publicKey: Uint8Array;
      readonly signCount: number;
      readonly transports: readonly string[];
    } | null;
  },
): Promise<unknown[]> =>
  tx.query(sql`/* factors.activate */
    update factor set state = 'active', confirmed_at = now(), challenge = null, expires_at = null, last_step = ${f.lastStep},
      credential_id = ${f.credential?.credentialId ?? null}, public_key = ${f.credential?.publicKey ?? null},
      sign_count = ${f.credential?.signCount ?? 0}, transports = ${[...(f.credential?.transports ?? [])]}::text[]
    where tenant_id = ${f.tenantId} and id = ${f.id} and state = 'pending' and expires_at > now() returning id`);

/** Each step's code once: of two uses at the same moment one hits. */
export const useStep = (tx: Tx, tenantId: string, id: string, step: number): Promise<unknown[]> =>
  tx.query(sql`/* factors.useStep */
    update factor set last_step = ${step}, last_used_at = now()
    where tenant_id = ${tenantId} and id = ${id} and state = 'active' and last_step < ${step} returning id`);

/** A count that does not grow tells of a copied key; keys that never count stay at 0. */
export const useCredential = (tx: Tx, tenantId: string, id: string, count: number): Promise<unknown[]> =>
  tx.query(sql`/* factors.useCredential */
    update factor set sign_count = ${count}, last_used_at = now()
    where tenant_id = ${tenantId} and id = ${id} and state = 'active' and (sign_count < ${count} or (sign_count = 0 and ${count}::int8 = 0))
    returning id`);

export const revokeFactors = (
  tx: Tx,
  tenantId: string,
  principalId: string,
  id: string | null,
): Promise<{ id: string; kind: FactorKind; name: string }[]> =>
  tx.query(sql`/* factors.revoke */
    update factor set state = 'revoked', revoked_at = now(), secret = null
    where tenant_id = ${tenantId} and principal_id = ${principalId} and state <> 'revoked' ${id ? sql`and id = ${id}` : nothing}
    returning id, kind, name`);

export const insertChallenge = (
  tx: Tx,
  c: {
    readonly tenantId: string;
    readonly id: string;
    readonly principalId: string;
    readonly nonce: string;
    readonly subjectId: string;
    readonly digest: string;
    readonly decision: string;
  },
): Promise<{ expiresAt: Date }[]> =>
  tx.query(sql`/* factors.insertChallenge */
    insert into factor_challenge (tenant_id, id, principal_id, challenge, subject_id, subject_digest, decision, expires_at)
    values (${c.tenantId}, ${c.id}, ${c.principalId}, ${c.nonce}, ${c.subjectId}, ${c.digest}, ${c.decision},
      now() + make_interval(mins => ${challengeMinutes})) returning expires_at as "expiresAt"`);

/** Takes a challenge for good, whatever comes of its answer: of two answers one finds it. */
export async function takeChallenge(
  tx: Tx,
  c: { readonly tenantId: string; readonly id: string; readonly principalId: string },
): Promise<string | undefined> {
  const rows = await tx.query<{ challenge: string }>(sql`/* factors.takeChallenge */
    update factor_challenge set used_at = now() where tenant_id = ${c.tenantId} and id = ${c.id}
      and principal_id = ${c.principalId} and used_at is null and expires_at > now() returning challenge`);
  return rows[0]?.challenge;
}

/** Challenges of every tenant that nobody can answer any more. */
export const purgeChallenges = (tx: Tx, limit: number): Promise<unknown[]> =>
  tx.query(sql`/* factors.purgeChallenges */
    delete from factor_challenge c using (select tenant_id, id from factor_challenge
      where expires_at < now() - interval '1 hour' order by expires_at limit ${limit}) old
    where c.tenant_id = old.tenant_id and c.id = old.id returning c.id`);

export interface Throttle {
  readonly tries: number;
  /** Seconds until the lock ends; 0 without one. */
  readonly lockedFor: number;
  readonly fresh: boolean;
}

/** The person's tries, locked until the end of the transaction. `fresh`: the window or the lock is over. */
export async function lockThrottle(tx: Tx, tenantId: string, principalId: string): Promise<Throttle> {
  await tx.query(sql`/* factors.insertThrottle */
    insert into factor_throttle (tenant_id, principal_id, tries, window_at) values (${tenantId}, ${principalId}, 0, now())
    on conflict do nothing`);
  const rows = await tx.query<Throttle>(sql`/* factors.lockThrottle */
    select tries, coalesce(ceil(extract(epoch from locked_until - now())), 0)::int4 as "lockedFor",
      coalesce(locked_until, window_at + make_interval(mins => ${windowMinutes})) <= now() as fresh
    from factor_throttle where tenant_id = ${tenantId} and principal_id = ${principalId} for update`);
  return rows[0] ?? { tries: 0, lockedFor: 0, fresh: true };
}

export const writeThrottle = (
  tx: Tx,
  t: {
    readonly tenantId: string;
    readonly principalId: string;
    readonly tries: number;
    readonly restart: boolean;
    readonly lockMinutes: number | null;
  },
): Promise<unknown> =>
  tx.query(sql`/* factors.writeThrottle */
    update factor_throttle set tries = ${t.tries}, window_at = ${t.restart ? sql`now()` : sql`window_at`},
      locked_until = ${t.lockMinutes === null ? sql`null` : sql`now() + make_interval(mins => ${t.lockMinutes})`}
    where tenant_id = ${t.tenantId} and principal_id = ${t.principalId}`);

export async function replaceRecoveryCodes(
  tx: Tx,
  tenantId: string,
  principalId: string,
  hashes: readonly Uint8Array[],
): Promise<void> {
  await tx.query(sql`/* factors.deleteRecoveryCodes */
    delete from recovery_code where tenant_id = ${tenantId} and principal_id = ${principalId}`);
  for (const hash of hashes)
    await tx.query(sql`/* factors.insertRecoveryCode */
      insert into recovery_code (tenant_id, principal_id, hash) values (${tenantId}, ${principalId}, ${hash})`);
}

export const useRecoveryCode = (
  tx: Tx,
  tenantId: string,
  principalId: string,
  hash: Uint8Array,
): Promise<unknown[]> =>
  tx.query(sql`/* factors.useRecoveryCode */
    update recovery_code set used_at = now() where tenant_id = ${tenantId} and principal_id = ${principalId}
      and hash = ${hash} and used_at is null returning used_at`);

export async function countRecoveryCodes(db: Db, tenantId: string, principalId: string): Promise<number> {
  const rows = await db.query<{ n: number }>(sql`/* factors.countRecoveryCodes */
    select count(*)::int4 as n from recovery_code
    where tenant_id = ${tenantId} and principal_id = ${principalId} and used_at is null`);
  return rows[0]?.n ?? 0;
}

/** The roles of a principal; undefined when there is none. */
export async function findRoles(
  db: Db,
  tenantId: string,
  principalId: string,
): Promise<string[] | undefined> {
  const rows = await db.query<{ roles: string[] }>(sql`/* factors.findRoles */
    select array(select r.role from principal_role r where r.tenant_id = p.tenant_id and r.principal_id = p.id) as roles
    from principal p where p.tenant_id = ${tenantId} and p.id = ${principalId}`);
  return rows[0]?.roles;
}
