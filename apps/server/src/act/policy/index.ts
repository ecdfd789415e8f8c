export { requestOf } from "./cases.ts";
export type { ActionHistory, CountedAction, CountedGroup } from "./counters.ts";
export type { BundleDiff, Change } from "./diff.ts";
export type { Disclosed, KeptDecision } from "./disclosure.ts";
export {
  type ApprovalDemand,
  type BundleSource,
  type CaseRequest,
  type ChainLink,
  type CounterSpec,
  type Decision,
  type DecisionRequest,
  type Effect,
  type EntityRef,
  type Envelope,
  effects,
  type GoldenCase,
  type PolicyState,
  type PolicyVersion,
  type PolicyVersionDetail,
  type PrincipalKind,
  policyTransitions,
  type ShadowVerdict,
  type StepUp,
  stepUps,
  type Verb,
  verbs,
} from "./domain.ts";
export type { Explanation, NearMiss, PolicyNote } from "./explain.ts";
export { type FactSpec, factSpecsOf } from "./facts.ts";
export type { GrantRow } from "./grant-store.ts";
export type { NewGrant } from "./grants.ts";
export type { ImportResult, ImportWish } from "./import.ts";
export type { PublishOptions, RolledBack } from "./publish.ts";
export { type PolicyReceipt, policyReceipt, type ReceiptSink } from "./receipt.ts";
export { createPolicy, type Policy, type PolicyDeps } from "./service.ts";
export { bundleSchema, caseRequestSchema } from "./source.ts";
export type { Settings as PolicySettings } from "./store.ts";
export type { Verdict } from "./workbench.ts";
