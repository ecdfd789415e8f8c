import type { Caller } from "#platform/access";
import { requirePermission } from "#platform/access";
import type { About, Factor, FactorKind, GivenProof, Proof, StepUp } from "./domain.ts";
import {
  challengeFor,
  confirmEnrolment,
  type Enrolment,
  enrol,
  issueRecoveryCodes,
  ofOwnFactors,
  resetFactors,
  revokeOwn,
} from "./enrol.ts";
import { type ProveDeps, prove } from "./prove.ts";
import * as store from "./store.ts";
import { relyingPartyOf } from "./webauthn.ts";

export type { About, Factor, FactorKind, GivenProof, Proof, StepUp } from "./domain.ts";
export type { Enrolment } from "./enrol.ts";

export interface Factors {
  /** The caller's own, or with `access:read` another's; never a secret. */
  list(caller: Caller, principalId?: string): Promise<{ items: Factor[]; recoveryCodesLeft: number }>;
  /** Begins an enrolment that `confirm` ends within 15 minutes. Errors: APPROVAL_PERSON, FACTOR_LIMIT, STEP_UP_*. */
  enrol(caller: Caller, draft: { kind: FactorKind; name: string }, given: GivenProof): Promise<Enrolment>;
  /** Errors: FACTOR_NOT_FOUND, FACTOR_STATE, STEP_UP_WRONG, STEP_UP_LOCKED. */
  confirm(
    caller: Caller,
    id: string,
    given: { readonly code?: string | undefined; readonly response?: unknown },
  ): Promise<{ readonly factor: Factor; readonly recoveryCodes: readonly string[] | null }>;
  revoke(caller: Caller, id: string, given: GivenProof): Promise<Factor>;
  /** For who lost them. Needs `access:write`; not one's own. Answers how many there were. */
  reset(caller: Caller, principalId: string): Promise<number>;
  recoveryCodes(caller: Caller, given: GivenProof): Promise<readonly string[]>;
  /** A question for the caller's security keys about one decision. Errors: FACTOR_NONE. */
  challenge(
    caller: Caller,
    about: About | "enrol" | "revoke" | "recovery",
  ): Promise<{ readonly id: string; readonly options: object; readonly expiresAt: Date }>;
  /** Confirms a decision. Errors: STEP_UP_REQUIRED, STEP_UP_WRONG, STEP_UP_LOCKED. Not inside a transaction. */
  prove(caller: Caller, about: About, given: GivenProof, needs: StepUp): Promise<Proof>;
  /** Forgets questions that nobody can answer any more. Returns how many. */
  purge(limit: number): Promise<number>;
}

export type FactorsDeps = Omit<ProveDeps, "rp"> & {
  /** Where people reach this server: security keys are bound to its host. */
  readonly publicUrl: string;
};

export function createFactors({ publicUrl, ...given }: FactorsDeps): Factors {
  const deps: ProveDeps = { ...given, rp: relyingPartyOf(publicUrl) };
  return {
    list: async (caller, principalId = caller.principalId) => {
      if (principalId !== caller.principalId) requirePermission(caller, "access:read");
      const { tenantId } = caller;
      return deps.db.read(tenantId, async (db) => ({
        items: (await store.listFactors(db, tenantId, principalId)).map(shownOf),
        recoveryCodesLeft: await store.countRecoveryCodes(db, tenantId, principalId),
      }));
    },
    enrol: async (caller, draft, proof) => {
      const made = await enrol(deps, caller, draft, proof);
      return { ...made, factor: shownOf(made.factor) };
    },
    confirm: async (caller, id, shown) => {
      const done = await confirmEnrolment(deps, caller, id, shown);
      return { ...done, factor: shownOf(done.factor) };
    },
    revoke: async (caller, id, proof) => shownOf(await revokeOwn(deps, caller, id, proof)),
    reset: (caller, principalId) => resetFactors(deps, caller, principalId),
    recoveryCodes: (caller, proof) => issueRecoveryCodes(deps, caller, proof),
    challenge: (caller, about) =>
      challengeFor(deps, caller, typeof about === "string" ? ofOwnFactors(caller, about) : about),
    prove: (caller, about, proof, needs) => prove(deps, caller, about, proof, needs),
    purge: async (limit) => (await given.db.system.tx((tx) => store.purgeChallenges(tx, limit))).length,
  };
}

/** Nothing else of a row leaves the room. */
const shownOf = ({
  id,
  principalId,
  kind,
  name,
  state,
  createdAt,
  confirmedAt,
  lastUsedAt,
}: Factor): Factor => ({
  id,
  principalId,
  kind,
  name,
  state,
  createdAt,
  confirmedAt,
  lastUsedAt,
});

export { sealedFactors } from "./sealed.ts";
