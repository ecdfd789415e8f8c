/**
 * A person's consent (RFC 6749 §4.1 with PKCE, RFC 7636). Owns: that the end of a consent belongs to its beginning.
 * K1 `state` is 256 random bits, of which the hash is kept, and names the tenant; it serves once, for 10 min.
 * K2 A consent is ended by the principal who began it: by that principal's own call, or in the browser that got the
 *    cookie of the beginning. A link that somebody else is made to follow ends nothing.
 * K3 The answer comes from the issuer that was asked (RFC 9207): `iss` must be it where the connection names one.
 * K4 The code is sent to the token endpoint with the verifier and the redirect URI of the beginning, and once.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Database } from "#platform/db";
import { OarsError, sha256 } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { findConsent, insertConsent, takeConsent } from "./consent-store.ts";
import type { GrantIo } from "./grant.ts";
import { replaceGrant } from "./grant-store.ts";
import { digestOfSpec, type GrantHolder, refreshAfterMs, sealCredential } from "./grants.ts";
import { endpointsOf } from "./oauth-metadata.ts";
import type { OAuth } from "./oauth-schema.ts";
import { obtainToken } from "./oauth-token.ts";

export interface ConsentDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "seal" | "open">;
  /** Where authorization servers send the person back to. */
  readonly redirectUri: string;
}

export interface ConsentBegun {
  /** For the person's browser. */
  readonly url: string;
  readonly expiresAt: Date;
  /** For a cookie: proves that the browser which comes back is the one that began. */
  readonly browser: string;
}

export interface ConsentAnswer {
  readonly state: string;
  readonly code?: string | undefined;
  readonly error?: string | undefined;
  readonly iss?: string | undefined;
}

/** Who ends a consent: the caller's principal, or the browser's cookie. */
export type ConsentEnd = { readonly principalId: string } | { readonly browser: string };

type ByConsent = Extract<OAuth, { grant: "authorization_code" }>;

const lifeMs = 600_000;
const refuse = (reason: string): OarsError => new OarsError("CONNECTION_AUTHORIZATION_INVALID", { reason });
const purposeOf = (stateHash: Uint8Array): string =>
  `connection-authorization/${Buffer.from(stateHash).toString("hex")}`;

export async function beginConsent(
  deps: ConsentDeps,
  holder: GrantHolder,
  oauth: ByConsent,
  principalId: string,
  io: GrantIo,
): Promise<ConsentBegun> {
  const { tenantId } = holder;
  const { authorizationUrl, namesItself } = await endpointsOf(oauth, io);
  if (authorizationUrl === undefined)
    throw new OarsError("CONNECTION_AUTH_FAILED", { reason: "the issuer names no authorization endpoint" });
  const state = stateOf(tenantId);
  const verifier = randomBytes(32).toString("base64url");
  const browser = randomBytes(32).toString("base64url");
  const stateHash = sha256(state);
  const kept = { verifier, redirectUri: deps.redirectUri, namesItself };
  const sealed = await deps.vault.seal(tenantId, purposeOf(stateHash), Buffer.from(JSON.stringify(kept)));
  const row = {
    tenantId,
    stateHash,
    connectionId: holder.id,
    principalId,
    browserHash: sha256(browser),
    sealed,
    lifeMs,
  };
  const digest = digestOfSpec({ kind: "token", oauth2: oauth });
  const [made] = await deps.db.tx(tenantId, (tx) => insertConsent(tx, { ...row, digest }));
  if (made === undefined) throw new Error("an insert returned no row");
  const url = new URL(authorizationUrl);
  const asked: Record<string, string> = {
    response_type: "code",
    client_id: oauth.clientId,
    redirect_uri: deps.redirectUri,
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...(oauth.scopes.length > 0 ? { scope: oauth.scopes.join(" ") } : {}),
    ...(oauth.audience === undefined ? {} : { audience: oauth.audience }),
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  for (const resource of oauth.resource) url.searchParams.append("resource", resource);
  return { url: url.href, expiresAt: made.expiresAt, browser };
}

/** The tenant stands in the state, so that its row is found without looking across tenants. */
const stateOf = (tenantId: string): string =>
  Buffer.concat([Buffer.from(tenantId.replaceAll("-", ""), "hex"), randomBytes(32)]).toString("base64url");

/** Hostile input enters here. */
export function tenantOfState(state: string): string | undefined {
  if (!/^[A-Za-z0-9_-]{64}$/.test(state)) return undefined;
  const hex = Buffer.from(state, "base64url").subarray(0, 16).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** What a connection must be for its consent to end. */
export interface Consenting {
  readonly holder: GrantHolder;
  readonly oauth: ByConsent | undefined;
  readonly io: GrantIo;
}

/**
 * Ends a consent and keeps its credential. Throws CONNECTION_AUTHORIZATION_INVALID, CONNECTION_AUTH_FAILED,
 * CONNECTION_AUTH_UNAVAILABLE. `find` gives the connection as it is now.
 */
export async function endConsent(
  deps: ConsentDeps,
  tenantId: string,
  answer: ConsentAnswer,
  end: ConsentEnd,
  find: (connectionId: string) => Promise<Consenting | undefined>,
): Promise<GrantHolder> {
  const stateHash = sha256(answer.state);
  const row = await deps.db.read(tenantId, (db) => findConsent(db, tenantId, stateHash));
  if (row === undefined || row.expired) throw refuse("its state is unknown, used or too old");
  const mine =
    "principalId" in end
      ? end.principalId === row.principalId
      : timingSafeEqual(sha256(end.browser), row.browserHash);
  if (!mine) throw refuse("it was begun by somebody else or in another browser");
  if (!(await deps.db.tx(tenantId, (tx) => takeConsent(tx, tenantId, stateHash))))
    throw refuse("its state is unknown, used or too old");
  const found = await find(row.connectionId);
  if (found?.oauth === undefined || digestOfSpec({ kind: "token", oauth2: found.oauth }) !== row.digest)
    throw refuse("the connection was changed meanwhile");
  const { holder, oauth, io } = found;
  const plain = await deps.vault.open(tenantId, purposeOf(stateHash), row.sealed);
  const kept = JSON.parse(Buffer.from(plain).toString("utf8")) as Kept; // sealed by beginConsent
  checkIssuer(oauth, kept, answer.iss);
  if (answer.error !== undefined)
    throw refuse(`the authorization server answered ${errorText(answer.error)}`);
  if (answer.code === undefined || answer.code === "") throw refuse("it brings no code");
  const consent = { code: answer.code, verifier: kept.verifier, redirectUri: kept.redirectUri };
  const credential = await obtainToken(oauth, { consent }, io);
  const key = { tenantId, connectionId: holder.id };
  const { lifetimeMs } = credential;
  const refreshMs = credential.refreshToken === undefined ? null : refreshAfterMs(lifetimeMs);
  const sealed = await sealCredential(deps, key, credential);
  const to = { kind: "token", digest: row.digest, sealed, lifetimeMs, refreshMs } as const;
  await deps.db.tx(tenantId, (tx) => replaceGrant(tx, key, to));
  return holder;
}

interface Kept {
  readonly verifier: string;
  readonly redirectUri: string;
  readonly namesItself: boolean;
}

/** [K3]. Compared as texts (RFC 9207 §2.4). */
function checkIssuer(oauth: ByConsent, kept: Kept, iss: string | undefined): void {
  if (oauth.issuer === undefined) return;
  if (iss === undefined && (kept.namesItself || oauth.requireIssuer))
    throw refuse("the answer does not say which server it comes from");
  if (iss !== undefined && iss !== oauth.issuer) throw refuse("the answer comes from another server");
}

const errorText = (text: string): string => (/^[A-Za-z0-9_.-]{1,60}$/.test(text) ? text : "an error");
