/**
 * Credentials that connections obtain for themselves. Owns: who obtains one, when it is renewed, and that a refused
 * one is not used again. Does not own: how one is obtained (oauth-token.ts, session-login.ts).
 * G1 Of all processes one obtains a credential at a time, by a claim on the database clock; the others wait for what
 *    it stores. A claim whose holder is silent for 45 s passes on, and what the old holder stores then is dropped.
 * G2 A credential in force costs no statement: it is kept in memory until shortly before its end.
 * G3 A credential that the other side refused is never sent again by the process that saw it; one that is younger
 *    than 5 s is not renewed, since then the credential is not what is wrong.
 * G4 A failure is remembered with its code; nobody tries again before its time has come.
 * G5 A refresh token that was used up and whose successor was lost asks for a person.
 */
import type { Connection } from "#act/connector-kit";
import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { digestOf, type Fault, isOarsError, newId, OarsError } from "#platform/kernel";
import { isNetError } from "#platform/net";
import type { Vault } from "#platform/vault";
import type { Credential, Grant, GrantIo } from "./grant.ts";
import { claimGrant, failGrant, findGrant, type GrantKey, type GrantRow, storeGrant } from "./grant-store.ts";
import { obtainToken } from "./oauth-token.ts";
import type { GrantSpec } from "./schema.ts";
import { jarOf, logIn } from "./session-login.ts";

export interface Grants {
  /**
   * The credential in force, obtained where there is none. `refused`: the one that the other side did not take;
   * undefined when no better one can be had. Throws CONNECTION_AUTH_FAILED, CONNECTION_AUTH_UNAVAILABLE,
   * CONNECTION_AUTHORIZATION_NEEDED, and what vault and guard refuse.
   */
  get(connection: GrantHolder, spec: GrantSpec, io: GrantIo): Promise<Grant> | Grant;
  renewed(connection: GrantHolder, spec: GrantSpec, io: GrantIo, refused: Grant): Promise<Grant | undefined>;
  /** Renews ahead of time; for the job. */
  refresh(connection: GrantHolder, spec: GrantSpec, io: GrantIo, version: number): Promise<void>;
  find(connection: GrantHolder): Promise<GrantRow | undefined>;
  /** Another credential is there now. */
  drop(tenantId: string, connectionId: string): void;
}

export type GrantHolder = Pick<Connection, "tenantId" | "id" | "name">;

export interface GrantsDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "seal" | "open">;
  /** Told of each failure. */
  readonly events?: Pick<SecurityEvents, "count">;
  readonly fault?: Fault;
}

interface Kept {
  readonly grant: Grant;
  readonly digest: string;
  readonly usableUntil: number;
}

const claimMs = 45_000;
const waitMs = 30_000;
const youngMs = 5_000;
const mostKept = 10_000;

export const purposeOfGrant = (connectionId: string): string => `connection-grant/${connectionId}`;

export function createGrants(deps: GrantsDeps): Grants {
  const kept = new Map<string, Kept>();
  const acquiring = new Map<string, Promise<Grant | undefined>>();
  const digests = new WeakMap<object, string>();

  const digest = (spec: GrantSpec): string => {
    const settings = spec.kind === "token" ? spec.oauth2 : spec.session;
    let known = digests.get(settings);
    if (known === undefined) {
      known = digestOfSpec(spec);
      digests.set(settings, known);
    }
    return known;
  };

  const keep = (key: string, entry: Kept): Grant => {
    kept.delete(key);
    const oldest = kept.size >= mostKept ? kept.keys().next().value : undefined;
    if (oldest !== undefined) kept.delete(oldest);
    kept.set(key, entry);
    return entry.grant;
  };

  const acquire = async (job: Job): Promise<Grant | undefined> => {
    const key: GrantKey = { tenantId: job.holder.tenantId, connectionId: job.holder.id };
    const wanted = digest(job.spec);
    const deadline = performance.now() + waitMs;
    for (let pause = 20; ; pause = Math.min(pause * 2, 500)) {
      const row = await deps.db.read(key.tenantId, (db) => findGrant(db, key));
      const usable = row !== undefined && isUsable(row, wanted, job.notVersion);
      if (usable) return keep(keyOf(job.holder), await toKept(deps, key, row, wanted));
      if (row !== undefined && row.version === job.notVersion && row.digest === wanted && job.refused) {
        if ((row.ageMs ?? 0) < youngMs) return undefined;
      }
      refuseToTry(job, row, wanted);
      const claim = newId();
      const at = { kind: job.spec.kind, digest: wanted, version: row?.version ?? 0, claim, claimMs };
      if (await deps.db.tx(key.tenantId, (tx) => claimGrant(tx, key, at)))
        return obtain(deps, job, { key, claim, digest: wanted, row }).then((made) =>
          made === undefined ? acquire(job) : keep(keyOf(job.holder), made),
        );
      if (performance.now() > deadline)
        throw new OarsError("CONNECTION_AUTH_UNAVAILABLE", {
          reason: "another process is still obtaining its credential",
          seconds: 5,
        });
      await new Promise((resume) => setTimeout(resume, pause));
    }
  };

  const once = (job: Job): Promise<Grant | undefined> => {
    const key = keyOf(job.holder);
    const pending = acquiring.get(key);
    if (pending !== undefined) return pending;
    const started = acquire(job).finally(() => acquiring.delete(key));
    acquiring.set(key, started);
    return started;
  };

  return {
    get: (holder, spec, io) => {
      const entry = kept.get(keyOf(holder));
      if (entry !== undefined && entry.usableUntil > performance.now() && entry.digest === digest(spec))
        return entry.grant;
      return once({ holder, spec, io, notVersion: undefined, refused: false }).then((grant) => {
        if (grant === undefined)
          throw new OarsError("CONNECTION_AUTHORIZATION_NEEDED", { name: holder.name });
        return grant;
      });
    },
    renewed: (holder, spec, io, refused) => {
      const entry = kept.get(keyOf(holder));
      if (entry?.grant.version === refused.version) kept.delete(keyOf(holder));
      else if (entry !== undefined && entry.grant.version > refused.version)
        return Promise.resolve(entry.grant);
      return once({ holder, spec, io, notVersion: refused.version, refused: true });
    },
    refresh: async (holder, spec, io, version) => {
      await once({ holder, spec, io, notVersion: version, refused: false });
    },
    find: ({ tenantId, id: connectionId }) =>
      deps.db.read(tenantId, (db) => findGrant(db, { tenantId, connectionId })),
    drop: (tenantId, connectionId) => void kept.delete(`${tenantId} ${connectionId}`),
  };
}

interface Job {
  readonly holder: GrantHolder;
  readonly spec: GrantSpec;
  readonly io: GrantIo;
  /** The version that will not do. */
  readonly notVersion: number | undefined;
  readonly refused: boolean;
}

interface Claimed {
  readonly key: GrantKey;
  readonly claim: string;
  readonly digest: string;
  readonly row: GrantRow | undefined;
}

const keyOf = (holder: GrantHolder): string => `${holder.tenantId} ${holder.id}`;

/** What another configuration obtained is of no use to this one. */
export const digestOfSpec = (spec: GrantSpec): string =>
  digestOf(JSON.parse(JSON.stringify(spec.kind === "token" ? spec.oauth2 : spec.session)));

/** How long before its end a credential is no longer used: 10 s, less where it is short. */
const marginMs = (lifetimeMs: number): number => Math.min(10_000, lifetimeMs * 0.1);

/** When it is renewed ahead of time: after three quarters, at the latest 2 min before its end. */
export const refreshAfterMs = (lifetimeMs: number | null): number | null =>
  lifetimeMs === null ? null : Math.max(lifetimeMs * 0.75, lifetimeMs - 120_000);

function isUsable(row: GrantRow, wanted: string, notVersion: number | undefined): boolean {
  if (row.sealed === null || row.digest !== wanted || row.version === notVersion) return false;
  return row.leftMs === null || row.leftMs > marginMs(row.leftMs + (row.ageMs ?? 0));
}

async function toKept(
  deps: GrantsDeps,
  key: GrantKey,
  row: Pick<GrantRow, "kind" | "sealed" | "version" | "leftMs" | "ageMs">,
  digest: string,
): Promise<Kept> {
  const { leftMs } = row;
  const until = leftMs === null ? Number.POSITIVE_INFINITY : leftMs - marginMs(leftMs + (row.ageMs ?? 0));
  const { value } = await readCredential(deps, key, row.sealed ?? new Uint8Array());
  const jar = row.kind === "cookies" ? jarOf(value) : undefined;
  return { grant: { value, version: row.version, jar }, digest, usableUntil: performance.now() + until };
}

async function readCredential(
  deps: Pick<GrantsDeps, "vault">,
  key: GrantKey,
  sealed: Uint8Array,
): Promise<Pick<Credential, "value" | "refreshToken">> {
  const plain = await deps.vault.open(key.tenantId, purposeOfGrant(key.connectionId), sealed);
  return JSON.parse(Buffer.from(plain).toString("utf8")) as Pick<Credential, "value" | "refreshToken">; // sealed below
}

export const sealCredential = (
  deps: Pick<GrantsDeps, "vault">,
  key: GrantKey,
  { value, refreshToken }: Credential,
): Promise<Uint8Array> =>
  deps.vault.seal(
    key.tenantId,
    purposeOfGrant(key.connectionId),
    Buffer.from(JSON.stringify({ value, refreshToken })),
  );

/** [G4] and [G5]. */
function refuseToTry(job: Job, row: GrantRow | undefined, wanted: string): void {
  const { spec, holder } = job;
  const byConsent = spec.kind === "token" && spec.oauth2.grant === "authorization_code";
  const name = holder.name;
  if (byConsent && (row === undefined || row.digest !== wanted || row.needsPerson || row.sealed === null))
    throw new OarsError("CONNECTION_AUTHORIZATION_NEEDED", { name });
  if (row === undefined || row.digest !== wanted || (row.retryMs ?? 0) <= 0) return;
  const seconds = Math.ceil((row.retryMs ?? 0) / 1_000);
  const reason = `the last attempt failed with ${row.lastError ?? "an error"}`;
  throw new OarsError("CONNECTION_AUTH_UNAVAILABLE", { reason, seconds });
}

/** Undefined when the claim was lost meanwhile. */
async function obtain(deps: GrantsDeps, job: Job, at: Claimed): Promise<Kept | undefined> {
  const { key, claim, digest, row } = at;
  const { spec, io, holder } = job;
  try {
    const before =
      row?.sealed && row.digest === digest ? await readCredential(deps, key, row.sealed) : undefined;
    const credential = await (spec.kind === "token"
      ? obtainToken(spec.oauth2, { refreshToken: before?.refreshToken }, io)
      : logIn(spec.session, io));
    deps.fault?.("grants.after-obtain");
    const sealed = await sealCredential(deps, key, credential);
    const { lifetimeMs } = credential;
    const refreshMs = refreshAfterMs(lifetimeMs);
    const to = { kind: spec.kind, digest, sealed, lifetimeMs, refreshMs };
    const stored = await deps.db.tx(key.tenantId, (tx) => storeGrant(tx, key, claim, to));
    if (stored === undefined) return undefined;
    return toKept(deps, key, { ...to, version: stored.version, leftMs: lifetimeMs, ageMs: 0 }, digest);
  } catch (error) {
    const code = isOarsError(error) ? error.code : "SERVER_FAILED";
    const needsPerson = code === "CONNECTION_AUTHORIZATION_NEEDED";
    await deps.db.tx(key.tenantId, (tx) => failGrant(tx, key, claim, { error: code, needsPerson }));
    deps.events?.count({
      tenantId: key.tenantId,
      type: "credential.refresh_failed",
      target: { kind: "connection", id: holder.name },
      details: { code },
    });
    throw named(error, holder.name);
  }
}

/** Which connection it was belongs into the message. */
function named(error: unknown, name: string): unknown {
  if (!isOarsError(error) || isNetError(error) || !error.code.startsWith("CONNECTION_AUTH")) return error;
  return new OarsError(error.code, { ...error.params, name }, { cause: error.cause });
}
