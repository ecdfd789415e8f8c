export {
  type ApprovalDemand,
  type BundleSource,
  type CaseRequest,
  type Decision,
  type DecisionRequest,
  type Effect,
  type Envelope,
  effects,
  type GoldenCase,
  type PolicyState,
  type PolicyVersion,
  type PolicyVersionDetail,
  type PrincipalKind,
  type StepUp,
  stepUps,
  type Verb,
  verbs,
} from "./domain.ts";
export { type FactSpec, factSpecsOf } from "./facts.ts";
export type { PublishOptions } from "./publish.ts";
export type { PublishedReceipt, ReceiptSink } from "./receipt.ts";
export { createPolicy, type Policy, type PolicyDeps } from "./service.ts";
export { bundleSchema } from "./source.ts";
