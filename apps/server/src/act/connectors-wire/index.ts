import type { Connector } from "#act/connector-kit";
import { emailConnector } from "./email-connector.ts";
import { sftpConnector } from "./sftp-connector.ts";
import { sqlConnector } from "./sql-connector.ts";

/** Connectors to systems with protocols of their own. */
export const wireConnectors: readonly Connector[] = [sqlConnector, emailConnector, sftpConnector];
