/** The catalogue of tools: what there is, how dangerous it is, what the tenant may use. */
import {
  pageOf,
  patchToolRequest,
  putToolAllowanceRequest,
  reviewToolRequest,
  tool,
  toolAllowance,
  toolFilter,
  toolName,
} from "@oars/contract";
import { z } from "zod";
import type { Allowance, Tool } from "#act/catalogue";
import { tag as etag, ifMatchHeader, ifMatchOf } from "./if-match.ts";
import { afterName, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { shownOrNull } from "./wire-id.ts";

const byName = z.strictObject({ name: toolName });

const toTool = ({ revision: _, reviewedBy, ...rest }: Tool) => ({
  ...rest,
  reviewedBy: shownOrNull("principal", reviewedBy),
});

const toAllowance = ({ updatedBy, ...rest }: Allowance) => ({
  ...rest,
  updatedBy: shownOrNull("principal", updatedBy),
});

const holds = (one: Tool, text: string): boolean =>
  [one.name, one.title, one.description].some((part) => part.toLowerCase().includes(text.toLowerCase()));

export const toolRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/tools",
    access: "connections:read",
    tag: "tools",
    summary: "List tools, by name",
    description:
      "Every operation of every connection, with its classification and the schema of its arguments.",
    query: toolFilter,
    answer: { status: 200, body: pageOf(tool) },
    handle: async ({ catalogue }, { caller, query }) => {
      const { limit, cursor, connection, status, text } = query;
      const after = afterName(cursor);
      const found = (await catalogue.browse(caller)).filter(
        (one) =>
          (after === undefined || one.name > after) &&
          (connection === undefined || one.connection === connection) &&
          (status === undefined || one.status === status) &&
          (text === undefined || holds(one, text)),
      );
      return pageOfRows(found.slice(0, limit + 1), limit, (one) => one.name, toTool);
    },
  }),
  route({
    method: "GET",
    path: "/v1/tools/:name",
    access: "connections:read",
    tag: "tools",
    summary: "Show a tool",
    params: byName,
    notFound: "TOOL_NOT_FOUND",
    answer: { status: 200, body: tool },
    handle: async ({ catalogue }, { caller, params, reply }) => {
      const found = await catalogue.find(caller, params.name);
      etag(reply, found.etag);
      return toTool(found);
    },
  }),
  route({
    method: "PATCH",
    path: "/v1/tools/:name",
    access: "tools:review",
    tag: "tools",
    summary: "Classify a tool",
    description:
      "Lays verb, risk, data types and flags over what connection and operation say. Where the tool comes to look more harmless, a reason is required. Leaves a receipt.",
    params: byName,
    notFound: "TOOL_NOT_FOUND",
    body: patchToolRequest,
    headers: [ifMatchHeader],
    answer: { status: 200, body: tool },
    idempotency: "door",
    handle: async ({ catalogue }, { caller, params, body, request, reply }) => {
      const { reason, ...overrides } = body;
      const ifMatch = ifMatchOf(request);
      const changed = await catalogue.reclassify(caller, params.name, { overrides, reason, ifMatch });
      etag(reply, changed.etag);
      return toTool(changed);
    },
  }),
  route({
    method: "POST",
    path: "/v1/tools/:name/review",
    access: "tools:review",
    tag: "tools",
    summary: "Accept a tool as it is now",
    description:
      "A tool that is not what was reviewed is quarantined; this ends it. Leaves a receipt. 412 when `digest` is not its definition any more.",
    params: byName,
    notFound: "TOOL_NOT_FOUND",
    body: reviewToolRequest,
    answer: { status: 200, body: tool },
    idempotency: "door",
    handle: async ({ catalogue }, { caller, params, body }) =>
      toTool(await catalogue.review(caller, params.name, body)),
  }),
  route({
    method: "GET",
    path: "/v1/tool-allowance",
    access: "connections:read",
    tag: "tools",
    summary: "Show which tools the tenant may use",
    answer: { status: 200, body: toolAllowance },
    handle: async ({ catalogue }, { caller, reply }) => {
      const found = await catalogue.allowance(caller);
      etag(reply, found.etag);
      return toAllowance(found);
    },
  }),
  route({
    method: "PUT",
    path: "/v1/tool-allowance",
    access: "tools:review",
    tag: "tools",
    summary: "Say which tools the tenant may use",
    description:
      "In front of every policy, and within what the operator of the installation allows. What is not listed is denied, with a receipt.",
    body: putToolAllowanceRequest,
    headers: [ifMatchHeader],
    answer: { status: 200, body: toolAllowance },
    idempotency: "door",
    handle: async ({ catalogue }, { caller, body, request, reply }) => {
      const put = await catalogue.allow(caller, body.tools, ifMatchOf(request));
      etag(reply, put.etag);
      return toAllowance(put);
    },
  }),
];
