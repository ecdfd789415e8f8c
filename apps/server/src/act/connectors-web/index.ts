import type { Connector } from "#act/connector-kit";
import { httpConnector } from "./http-connector.ts";

/** Connectors to systems that speak HTTP. */
export const webConnectors: readonly Connector[] = [httpConnector];
