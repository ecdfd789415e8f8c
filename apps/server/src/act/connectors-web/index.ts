import type { Connector } from "#act/connector-kit";
import { a2aConnector } from "./a2a-connector.ts";
import { confluenceConnector } from "./confluence-connector.ts";
import { graphqlConnector } from "./graphql-connector.ts";
import { httpConnector } from "./http-connector.ts";
import { jiraConnector } from "./jira-connector.ts";
import { createMcpConnector } from "./mcp-connector.ts";
import { pagerdutyConnector } from "./pagerduty-connector.ts";
import { s3Connector } from "./s3-connector.ts";
import { slackConnector } from "./slack-connector.ts";
import { soapConnector } from "./soap-connector.ts";

/** Connectors to systems that speak HTTP; each call makes them anew, with what some remember of their peers. */
export const createWebConnectors = (): readonly Connector[] => [
  httpConnector,
  graphqlConnector,
  soapConnector,
  slackConnector,
  jiraConnector,
  confluenceConnector,
  pagerdutyConnector,
  s3Connector,
  createMcpConnector(),
  a2aConnector,
];
