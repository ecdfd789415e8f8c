import type { Connector } from "#act/connector-kit";

/** Connectors to systems with protocols of their own. */
export const wireConnectors: readonly Connector[] = [];
