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
export type { ConnectionInput } from "./domain.ts";
export { type Connectors, type ConnectorsDeps, createConnectors } from "./service.ts";
