export { checkParams, compileFlow } from "./compile.ts";
export type {
  CompiledConcurrency,
  CompiledFlow,
  CompiledForEach,
  CompiledGate,
  CompiledStep,
  CompiledWebhook,
} from "./compiled-flow.ts";
export { ExpressionError } from "./expression.ts";
export {
  compileJsonata,
  type JsonataCompiled,
  type JsonataExpression,
  type JsonataProblem,
  type JsonataResult,
  jsonataLimits,
} from "./jsonata.ts";
export { didYouMean } from "./near-names.ts";
export type { CheckedParams } from "./param-values.ts";
export { type ProblemCode, problemCodes, renderCodes } from "./problem-codes.ts";
export { signPublication } from "./publication.ts";
export {
  createFlows,
  type FlowPage,
  type Flows,
  type FlowsDeps,
  type NewVersion,
  type PublishedVersion,
} from "./service.ts";
export type { StepKindCatalogue, StepKindInfo } from "./step-kinds.ts";
export type { FlowSummary, FlowVersion, FlowVersionDetail } from "./store.ts";
export { compileTemplate, compileText, isTrue, type Scope, type Template } from "./template.ts";
export { type FlowSourceInput, type Validation, validateDefinition } from "./validate.ts";
