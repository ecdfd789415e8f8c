export { checkConnector } from "./conformance.ts";
export type {
  ActionShape,
  AuthKind,
  CallContext,
  Connection,
  ConnectionInfo,
  Connector,
  FactSpec,
  FactValue,
  Fixtures,
  Manifest,
  Operation,
  OperationContext,
  OperationOutcome,
  StepError,
  TestReport,
  Verb,
} from "./connector.ts";
export { brokenOff, failed, mayPass, refusal } from "./failure.ts";
export { connectionField, hostField, lineField, portField, secretReference, timeoutField } from "./fields.ts";
export { isHeaderName, isHeaderToken, isHeaderValue, reservedHeaders } from "./header-text.ts";
export { isJson, maxDepth, storableJson, storableText } from "./json-value.ts";
export { defineOperation, type Meaning, type OperationSpec } from "./operation.ts";
export { problemsOf } from "./problems.ts";
export { scrubber } from "./scrub.ts";
