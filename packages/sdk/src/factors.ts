import type {
  Challenge,
  ConfirmedFactor,
  ConfirmFactorRequest,
  EnrolFactorRequest,
  Enrolment,
  Factor,
  FactorChallengeRequest,
  FactorList,
  FactorReset,
  Proof,
  RecoveryCodes,
} from "@oars/contract";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

/** Second factors of people. What changes them is confirmed with one that is there, once there is one. */
export const createFactors = (transport: Transport) => {
  const post = <T>(target: string, body: unknown, options?: CallOptions): Promise<T> =>
    transport.json({ method: "POST", path: target, body, options });
  return {
    /** One's own, or another person's. */
    list: (query: { readonly principal?: string } = {}, options?: CallOptions): Promise<FactorList> =>
      transport.json({ method: "GET", path: withQuery("/v1/factors", query), options }),
    /** Begins an enrolment; what it answers is shown once. Errors: STEP_UP_*, FACTOR_LIMIT. */
    enrol: (request: EnrolFactorRequest, options?: CallOptions): Promise<Enrolment> =>
      post("/v1/factors", request, options),
    /** Errors: FACTOR_STATE, STEP_UP_WRONG, STEP_UP_LOCKED. */
    confirm: (id: string, request: ConfirmFactorRequest, options?: CallOptions): Promise<ConfirmedFactor> =>
      post(path`/v1/factors/${id}/confirm`, request, options),
    revoke: (id: string, proof: Proof = {}, options?: CallOptions): Promise<Factor> =>
      post(path`/v1/factors/${id}/revoke`, proof, options),
    challenge: (request: FactorChallengeRequest, options?: CallOptions): Promise<Challenge> =>
      post("/v1/factors/challenge", request, options),
    recoveryCodes: (proof: Proof = {}, options?: CallOptions): Promise<RecoveryCodes> =>
      post("/v1/factors/recovery-codes", proof, options),
    /** For who lost theirs. Needs `access:write`. */
    reset: (principalId: string, options?: CallOptions): Promise<FactorReset> =>
      post(path`/v1/principals/${principalId}/factors/reset`, undefined, options),
  };
};
