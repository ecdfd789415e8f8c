/** Enrolling and giving up factors. A further factor is confirmed with one that is there: a stolen key adds none. */
import { randomBytes } from "node:crypto";
import { type Caller, permissionsOf, requirePermission } from "#platform/access";
import type { Tx } from "#platform/db";
import { digestOf, newId, OarsError } from "#platform/kernel";
import {
  type About,
  challengeOf,
  enrolMinutes,
  type Factor,
  type FactorKind,
  type GivenProof,
  mostFactors,
} from "./domain.ts";
import { type ProveDeps, prove, secretPurpose } from "./prove.ts";
import { hashOf, newRecoveryCodes } from "./recovery.ts";
import * as store from "./store.ts";
import { tell } from "./tell.ts";
import { countTry, forgetTries } from "./throttle.ts";
import { matchingStep, newTotpSecret, toBase32, totpUri } from "./totp.ts";
import { assertionOptions, registrationOptions, verifyRegistration } from "./webauthn.ts";

/** What changes to a person's own factors are confirmed for. */
export const ofOwnFactors = (caller: Caller, decision: "enrol" | "revoke" | "recovery"): About => ({
  subjectId: caller.principalId,
  digest: digestOf({ factors: caller.principalId }),
  decision,
});

function assertPerson(caller: Caller): void {
  if (caller.principalKind !== "user") throw new OarsError("APPROVAL_PERSON");
}

const liveOf = (deps: ProveDeps, caller: Caller) =>
  deps.db.read(caller.tenantId, (db) => store.listFactors(db, caller.tenantId, caller.principalId));

/** Nothing to do before the first factor is active; from then on one of them has to say so. */
async function confirmOwn(
  deps: ProveDeps,
  caller: Caller,
  decision: "enrol" | "revoke" | "recovery",
  given: GivenProof,
): Promise<void> {
  const active = (await liveOf(deps, caller)).filter((f) => f.state === "active");
  if (active.length === 0) return;
  const strongest = active.some((f) => f.kind === "totp") ? "totp" : "webauthn";
  const wanted = given.code !== undefined ? "totp" : strongest;
  await prove(deps, caller, ofOwnFactors(caller, decision), given, wanted);
}

export type Enrolment =
  | { readonly kind: "totp"; readonly factor: Factor; readonly secret: string; readonly uri: string }
  | { readonly kind: "webauthn"; readonly factor: Factor; readonly options: object };

/** Errors: APPROVAL_PERSON, FACTOR_LIMIT, STEP_UP_*. */
export async function enrol(
  deps: ProveDeps,
  caller: Caller,
  draft: { readonly kind: FactorKind; readonly name: string },
  given: GivenProof,
): Promise<Enrolment> {
  assertPerson(caller);
  const live = await liveOf(deps, caller);
  if (live.filter((f) => !f.expired).length >= mostFactors)
    throw new OarsError("FACTOR_LIMIT", { limit: mostFactors });
  await confirmOwn(deps, caller, "enrol", given);
  const { tenantId, principalId, principalName } = caller;
  const id = newId();
  const insert = (secret: Uint8Array | null, challenge: string | null): Promise<Factor> =>
    deps.db.tx(tenantId, async (tx) => {
      await store.dropStale(tx, tenantId, principalId);
      await store.insertFactor(tx, {
        tenantId,
        id,
        principalId,
        ...draft,
        secret,
        challenge,
        minutes: enrolMinutes,
      });
      return mustFind(tx, tenantId, id);
    });
  if (draft.kind === "webauthn") {
    const known = live.flatMap((f) => (f.credentialId ? [f.credentialId] : []));
    const asked = await registrationOptions(deps.rp, { id: principalId, name: principalName }, known);
    return { kind: "webauthn", factor: await insert(null, asked.challenge), options: asked.options };
  }
  const secret = newTotpSecret();
  const factor = await insert(await deps.vault.seal(tenantId, secretPurpose(id), secret), null);
  const uri = totpUri(secret, `${deps.rp.name} ${deps.rp.id}`, principalName);
  return { kind: "totp", factor, secret: toBase32(secret), uri };
}

async function mustFind(tx: Tx, tenantId: string, id: string): Promise<Factor> {
  const row = await store.findFactor(tx, tenantId, id);
  if (!row) throw new Error("a factor that was written is not there");
  return row;
}

/** Errors: FACTOR_NOT_FOUND, FACTOR_STATE, STEP_UP_WRONG, STEP_UP_LOCKED. The first factor brings recovery codes. */
export async function confirmEnrolment(
  deps: ProveDeps,
  caller: Caller,
  id: string,
  given: { readonly code?: string | undefined; readonly response?: unknown },
): Promise<{ readonly factor: Factor; readonly recoveryCodes: readonly string[] | null }> {
  const { tenantId, principalId } = caller;
  const factor = await deps.db.read(tenantId, (db) => store.findFactor(db, tenantId, id));
  if (!factor || factor.principalId !== principalId) throw new OarsError("FACTOR_NOT_FOUND");
  if (factor.state !== "pending" || factor.expired)
    throw new OarsError("FACTOR_STATE", { state: factor.state === "pending" ? "expired" : factor.state });
  await countTry(deps.db, caller);
  const shown = await shownGood(deps, caller, factor, given);
  if (!shown) throw new OarsError("STEP_UP_WRONG", { more: "" });
  return deps.db.tx(tenantId, async (tx) => {
    const active = (await store.listFactors(tx, tenantId, principalId)).filter((f) => f.state === "active");
    const activated = await store.activateFactor(tx, { tenantId, id, ...shown });
    if (activated.length === 0) throw new OarsError("FACTOR_STATE", { state: "confirmed" });
    await forgetTries(tx, caller);
    const command = `${factor.kind}_enrolled`;
    await tell(deps, tx, caller, {
      type: "factor.changed",
      command,
      of: principalId,
      disclose: { factor: { name: factor.name } },
    });
    const codes = active.length === 0 ? newRecoveryCodes() : null;
    if (codes) await store.replaceRecoveryCodes(tx, tenantId, principalId, codes.map(hashOf));
    return { factor: await mustFind(tx, tenantId, id), recoveryCodes: codes };
  });
}

async function shownGood(
  deps: ProveDeps,
  caller: Caller,
  factor: store.FactorRow,
  given: { readonly code?: string | undefined; readonly response?: unknown },
) {
  if (factor.kind === "webauthn") {
    const credential = await verifyRegistration(deps.rp, factor.challenge ?? "", given.response);
    return credential && { lastStep: 0, credential };
  }
  if (factor.secret === null) return undefined;
  const secret = await deps.vault.open(caller.tenantId, secretPurpose(factor.id), factor.secret);
  const step = matchingStep(secret, given.code?.trim() ?? "", { seconds: factor.now, last: 0 });
  return step === undefined ? undefined : { lastStep: step, credential: null };
}

/** One's own, confirmed with a factor. Errors: FACTOR_NOT_FOUND, STEP_UP_*. */
export async function revokeOwn(
  deps: ProveDeps,
  caller: Caller,
  id: string,
  given: GivenProof,
): Promise<Factor> {
  const { tenantId, principalId } = caller;
  const factor = await deps.db.read(tenantId, (db) => store.findFactor(db, tenantId, id));
  if (!factor || factor.principalId !== principalId) throw new OarsError("FACTOR_NOT_FOUND");
  if (factor.state === "active") await confirmOwn(deps, caller, "revoke", given);
  return deps.db.tx(tenantId, async (tx) => {
    const [gone] = await store.revokeFactors(tx, tenantId, principalId, id);
    if (gone) {
      const command = `${gone.kind}_revoked`;
      await tell(deps, tx, caller, { type: "factor.changed", command, of: principalId });
    }
    return mustFind(tx, tenantId, id);
  });
}

/** All of another person's factors, codes and locks, for who lost them. Needs `access:write`. */
export async function resetFactors(deps: ProveDeps, caller: Caller, principalId: string): Promise<number> {
  requirePermission(caller, "access:write");
  if (principalId === caller.principalId) throw new OarsError("FACTOR_OWN_RESET");
  const { tenantId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    const roles = await store.findRoles(tx, tenantId, principalId);
    if (!roles) throw new OarsError("PRINCIPAL_NOT_FOUND");
    for (const permission of roles.flatMap((role) => [...permissionsOf(role)]))
      requirePermission(caller, permission); // nobody acts on one who may do more than they
    const gone = await store.revokeFactors(tx, tenantId, principalId, null);
    await store.replaceRecoveryCodes(tx, tenantId, principalId, []);
    await forgetTries(tx, { tenantId, principalId });
    await tell(deps, tx, caller, { type: "factor.changed", command: "reset", of: principalId });
    return gone.length;
  });
}

/** New codes in place of the old ones. Errors: FACTOR_NONE, STEP_UP_*. */
export async function issueRecoveryCodes(
  deps: ProveDeps,
  caller: Caller,
  given: GivenProof,
): Promise<readonly string[]> {
  const { tenantId, principalId } = caller;
  if (!(await liveOf(deps, caller)).some((f) => f.state === "active")) throw new OarsError("FACTOR_NONE");
  await confirmOwn(deps, caller, "recovery", given);
  const codes = newRecoveryCodes();
  await deps.db.tx(tenantId, async (tx) => {
    await store.replaceRecoveryCodes(tx, tenantId, principalId, codes.map(hashOf));
    await tell(deps, tx, caller, {
      type: "factor.changed",
      command: "recovery_codes_issued",
      of: principalId,
    });
  });
  return codes;
}

/** A question for the caller's security keys. Errors: FACTOR_NONE. */
export async function challengeFor(
  deps: ProveDeps,
  caller: Caller,
  about: About,
): Promise<{ readonly id: string; readonly options: object; readonly expiresAt: Date }> {
  const { tenantId, principalId } = caller;
  const known = (await liveOf(deps, caller)).flatMap(
    ({ state, credentialId, publicKey, signCount, transports }) =>
      state === "active" && credentialId && publicKey
        ? [{ credentialId, publicKey, signCount, transports }]
        : [],
  );
  if (known.length === 0) throw new OarsError("FACTOR_NONE");
  const nonce = randomBytes(32).toString("base64url");
  const id = newId();
  const [made] = await deps.db.tx(tenantId, (tx) =>
    store.insertChallenge(tx, { tenantId, id, principalId, nonce, ...about }),
  );
  if (!made) throw new Error("an insert returned no row");
  const challenge = challengeOf({ ...about, nonce, tenantId, principalId });
  return { id, options: await assertionOptions(deps.rp, challenge, known), expiresAt: made.expiresAt };
}
