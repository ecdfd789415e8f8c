/**
 * Confirming a decision with a second factor.
 * F1 a proof is one person's own and counts once: a code's step, a recovery code and a challenge are each taken in a
 *    compare-and-set, also when the answer to the challenge is wrong.
 * F2 an assertion counts for the decision and the digest that its challenge was made for, and for nothing else.
 * F3 tries are counted before they are looked at; too many failures lock the person's confirmations for a while, in
 *    every process, and each failure is on record.
 */
import type { Caller } from "#platform/access";
import type { Database } from "#platform/db";
import { OarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { type About, challengeOf, type GivenProof, type Proof, type StepUp, satisfying } from "./domain.ts";
import { hashOf, isRecoveryCode } from "./recovery.ts";
import * as store from "./store.ts";
import { type TellDeps, tell } from "./tell.ts";
import { countTry, forgetTries, noteFailure } from "./throttle.ts";
import { matchingStep } from "./totp.ts";
import { credentialIdOf, type RelyingParty, verifyAssertion } from "./webauthn.ts";

export interface ProveDeps extends TellDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "seal" | "open">;
  readonly rp: RelyingParty;
}

/** Errors: STEP_UP_REQUIRED when nothing fitting was given, STEP_UP_WRONG, STEP_UP_LOCKED. */
export async function prove(
  deps: ProveDeps,
  caller: Caller,
  about: About,
  given: GivenProof,
  needs: StepUp,
): Promise<Proof> {
  const kind = kindOf(given);
  if (kind === undefined || !satisfying[needs].includes(kind))
    throw new OarsError("STEP_UP_REQUIRED", { factor: needs });
  await countTry(deps.db, caller);
  const good = await check[kind](deps, caller, about, given);
  const locked = await deps.db.tx(caller.tenantId, async (tx) => {
    if (good) {
      await forgetTries(tx, caller);
      return false;
    }
    const locks = await noteFailure(tx, caller);
    const news = { type: "factor.failed", of: caller.principalId } as const;
    await tell(deps, tx, caller, { ...news, command: `${kind}_failed` });
    if (locks) await tell(deps, tx, caller, { ...news, command: "locked" });
    return locks;
  });
  if (good) return kind;
  throw new OarsError("STEP_UP_WRONG", { more: locked ? " Further tries are locked for a while." : "" });
}

function kindOf(given: GivenProof): Proof | undefined {
  if (given.assertion !== undefined) return "webauthn";
  if (given.code === undefined) return undefined;
  return isRecoveryCode(given.code) ? "recovery" : "totp";
}

type Check = (deps: ProveDeps, caller: Caller, about: About, given: GivenProof) => Promise<boolean>;

const check: Readonly<Record<Proof, Check>> = {
  totp: checkTotp,
  webauthn: checkAssertion,
  recovery: checkRecovery,
};

export const secretPurpose = (id: string): string => `factor:${id}`;

async function checkTotp(
  deps: ProveDeps,
  caller: Caller,
  _about: About,
  given: GivenProof,
): Promise<boolean> {
  const { tenantId, principalId } = caller;
  const factors = await deps.db.read(tenantId, (db) => store.listFactors(db, tenantId, principalId));
  for (const factor of factors) {
    if (factor.kind !== "totp" || factor.state !== "active" || factor.secret === null) continue;
    const secret = await deps.vault.open(tenantId, secretPurpose(factor.id), factor.secret);
    const step = matchingStep(secret, given.code?.trim() ?? "", {
      seconds: factor.now,
      last: factor.lastStep,
    });
    if (step === undefined) continue;
    const used = await deps.db.tx(tenantId, (tx) => store.useStep(tx, tenantId, factor.id, step));
    if (used.length === 1) return true;
  }
  return false;
}

async function checkRecovery(
  deps: ProveDeps,
  caller: Caller,
  _about: About,
  given: GivenProof,
): Promise<boolean> {
  const { tenantId, principalId } = caller;
  const hash = hashOf(given.code ?? "");
  return deps.db.tx(tenantId, async (tx) => {
    const used = await store.useRecoveryCode(tx, tenantId, principalId, hash);
    if (used.length === 0) return false;
    await tell(deps, tx, caller, { type: "factor.changed", command: "recovery_code_used", of: principalId });
    return true;
  });
}

async function checkAssertion(
  deps: ProveDeps,
  caller: Caller,
  about: About,
  given: GivenProof,
): Promise<boolean> {
  const { tenantId, principalId } = caller;
  const { challengeId = "", response } = given.assertion ?? {};
  const nonce = await deps.db.tx(tenantId, (tx) =>
    store.takeChallenge(tx, { tenantId, id: challengeId, principalId }),
  );
  if (nonce === undefined) return false;
  const credentialId = credentialIdOf(response);
  const factors = await deps.db.read(tenantId, (db) => store.listFactors(db, tenantId, principalId));
  const factor = factors.find((f) => f.state === "active" && f.credentialId === credentialId);
  if (!factor?.publicKey || !factor.credentialId) return false;
  const { publicKey, signCount, transports } = factor;
  const credential = { credentialId: factor.credentialId, publicKey, signCount, transports };
  const challenge = challengeOf({ ...about, nonce, tenantId, principalId });
  const count = await verifyAssertion(deps.rp, challenge, credential, response);
  if (count === undefined) return false;
  const used = await deps.db.tx(tenantId, (tx) => store.useCredential(tx, tenantId, factor.id, count));
  return used.length === 1;
}
