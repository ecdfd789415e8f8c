import {
  flowSource,
  flowSummary,
  flowValidation,
  flowVersionDetail,
  pageOf,
  pageQuery,
  publishedFlowVersion,
} from "@oars/contract";
import { z } from "zod";
import type { FlowVersion } from "#orchestrate/flows";
import { afterId, pageOfMore } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { shown } from "./wire-id.ts";

const tag = "flows";
const flowName = z.string().min(1).max(200);

const toFlow = <F extends FlowVersion>({ tenantId: _, flowId: __, name, ...f }: F) => ({
  ...f,
  id: shown("flowVersion", f.id),
  flow: name,
  publishedBy: shown("principal", f.publishedBy),
});

export const flowRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/schemas/flow.json",
    access: "anonymous",
    tag,
    summary: "The JSON Schema of flow definitions",
    description:
      "For editors: draft 2020-12, with the inputs of the step kinds of this server. Put `# yaml-language-server: $schema=URL` on top of a YAML file.",
    answer: { status: 200, type: "application/schema+json", body: z.record(z.string(), z.unknown()) },
    handle: async ({ flows }, { reply }) => {
      await reply
        .header("content-type", "application/schema+json; charset=utf-8")
        .header("cache-control", "public, max-age=300")
        .send(JSON.stringify(flows.schema()));
    },
  }),
  route({
    method: "POST",
    path: "/v1/flows/validate",
    access: "flows:read",
    tag,
    summary: "Check a flow definition",
    description:
      "Answers 200 with every problem at once; with lines and columns for YAML. Flows that its steps run must be published.",
    bodyForm: "json-or-yaml",
    body: flowSource,
    answer: { status: 200, body: flowValidation },
    handle: async ({ flows }, { caller, body }) => {
      const found = await flows.validate(caller.tenantId, body);
      if (!found.valid) return { valid: false, problems: found.problems };
      return { valid: true, problems: [], flow: found.flow, version: found.version, hash: found.hash };
    },
  }),
  route({
    method: "POST",
    path: "/v1/flows",
    access: "flows:publish",
    tag,
    summary: "Publish a flow version",
    description: "A published version never changes; the same content again answers like the first time.",
    bodyForm: "json-or-yaml",
    body: flowSource,
    answer: { status: 201, body: publishedFlowVersion },
    idempotency: "door",
    handle: async ({ flows }, { caller, body }) => toFlow(await flows.publish(caller, body)),
  }),
  route({
    method: "GET",
    path: "/v1/flows",
    access: "flows:read",
    tag,
    summary: "List flows",
    query: pageQuery,
    answer: { status: 200, body: pageOf(flowSummary) },
    handle: async ({ flows }, { caller, query }) => {
      const page = await flows.list(caller, { limit: query.limit, before: afterId(query.cursor) ?? null });
      return pageOfMore(page.items, page.more, (f) => f.flowId, toFlow);
    },
  }),
  route({
    method: "GET",
    path: "/v1/flows/:name",
    access: "flows:read",
    tag,
    summary: "Show a flow's highest version",
    params: z.strictObject({ name: flowName }),
    notFound: "FLOW_NOT_FOUND",
    answer: { status: 200, body: flowVersionDetail },
    handle: async ({ flows }, { caller, params }) => toFlow(await flows.find(caller, params.name)),
  }),
  route({
    method: "GET",
    path: "/v1/flows/:name/versions/:version",
    access: "flows:read",
    tag,
    summary: "Show a flow version",
    params: z.strictObject({ name: flowName, version: z.string().min(1).max(60) }),
    notFound: "FLOW_NOT_FOUND",
    answer: { status: 200, body: flowVersionDetail },
    handle: async ({ flows }, { caller, params }) =>
      toFlow(await flows.find(caller, params.name, params.version)),
  }),
];
