export type {
  ActionShape,
  Connection,
  ConnectionInfo,
  Connector,
  FactSpec,
  FactValue,
  Operation,
  OperationContext,
  OperationOutcome,
  StepError,
  TestReport,
  Verb,
} from "#act/connector-kit";
export { connectionTag, type Expected } from "./changes.ts";
export type { ConnectionInput } from "./domain.ts";
export { type Connectors, type ConnectorsDeps, createConnectors } from "./service.ts";
export type { ConnectionStatus, CredentialStatus } from "./status.ts";
export { createEgressRules, type EgressRules, egressTag, type TenantEgress } from "./tenant-egress.ts";
export type { ConnectionVersion } from "./versions-store.ts";
