import type { Connector } from "#act/connector-kit";
import { sqlConnector } from "./sql-connector.ts";

/** Connectors to systems with protocols of their own. */
export const wireConnectors: readonly Connector[] = [sqlConnector];
