import {
  complianceFrameworks,
  controlMapping,
  controlMappingQuery,
  controlMappingRequest,
  controlMappings,
  coverageScan,
  coverageScanRequest,
} from "@oars/contract";
import type { ControlMapping, CoverageReport, MappingInput } from "#sign/evidence";
import { route, type ServiceRoute } from "./services.ts";
import { shown, shownOrNull } from "./wire-id.ts";

const tag = "compliance";
const defaultDays = 90;

const toMapping = ({ description, ...m }: ControlMapping) => ({
  ...m,
  id: shown("control", m.id),
  controlDescription: description,
  createdBy: shownOrNull("principal", m.createdBy),
});

function toScan(r: CoverageReport, now: Date) {
  const missing = r.mappings.filter((_, i) => !r.coverage[i]?.covered);
  return {
    framework: r.framework,
    window: { from: r.from, to: r.to },
    totalControls: r.mappings.length,
    coveredControls: r.mappings.length - missing.length,
    missingControls: missing.map((m) => {
      const found = r.coverage.find((c) => c.framework === m.framework && c.controlId === m.controlId);
      return {
        controlId: m.controlId,
        controlDescription: m.description,
        missingNodeTypes: m.requiredNodeTypes.filter((kind) => !found?.kinds.includes(kind)),
        reasons: r.gaps.filter((g) => g.controlId === m.controlId).map((g) => g.detail),
      };
    }),
    controls: r.mappings.map((m, i) => {
      const { framework: _, ...found } = r.coverage[i] ?? { framework: m.framework };
      return { title: m.title, ...found };
    }),
    gaps: r.gaps,
    taggedTo: r.taggedTo,
    generatedAt: now,
  };
}

export const complianceRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/admin/compliance/frameworks",
    access: "compliance:read",
    tag,
    summary: "List the frameworks that the server knows, with their controls",
    description: "Titles are summaries: check the clause text of the framework.",
    answer: { status: 200, body: complianceFrameworks },
    handle: ({ evidence }, { caller }) => ({
      items: evidence.catalogue(caller).map(({ controls, ...framework }) => ({
        ...framework,
        controls: controls.map(({ controlId, title, rule }) => ({ controlId, title, mapped: rule !== null })),
      })),
    }),
  }),
  route({
    method: "GET",
    path: "/v1/admin/compliance/control-mappings",
    access: "compliance:read",
    tag,
    summary: "List which receipts are evidence for which control",
    description:
      "The default rules of a framework come into force when it is first used. With `framework` and `controlId`: every version, newest first.",
    query: controlMappingQuery,
    answer: { status: 200, body: controlMappings },
    handle: async ({ evidence }, { caller, query: { framework, controlId } }) => {
      const items =
        framework !== undefined && controlId !== undefined
          ? await evidence.mappings.history(caller, framework, controlId)
          : await evidence.mappings.list(caller, framework);
      return { items: items.map(toMapping) };
    },
  }),
  route({
    method: "POST",
    path: "/v1/admin/compliance/control-mappings",
    access: "compliance:write",
    tag,
    summary: "Say which receipts are evidence for a control",
    description:
      "A new version, in force at once and for all receipts from the first on. Earlier versions stay.",
    body: controlMappingRequest,
    idempotency: "door",
    answer: { status: 200, body: controlMapping },
    handle: async ({ evidence }, { caller, body }) =>
      toMapping(await evidence.mappings.put(caller, body as MappingInput)), // optional members may be undefined there too
  }),
  route({
    method: "POST",
    path: "/v1/admin/compliance/coverage/scan",
    access: "compliance:read",
    tag,
    summary: "How far the receipts of a time cover the controls of a framework",
    body: coverageScanRequest,
    answer: { status: 200, body: coverageScan },
    handle: async ({ evidence }, { caller, body }) => {
      const now = new Date();
      const to = body.dateTo === undefined ? now : new Date(body.dateTo);
      const from =
        body.dateFrom === undefined
          ? new Date(to.getTime() - defaultDays * 86_400_000)
          : new Date(body.dateFrom);
      return toScan(await evidence.coverage(caller, { framework: body.framework, from, to }), now);
    },
  }),
];
