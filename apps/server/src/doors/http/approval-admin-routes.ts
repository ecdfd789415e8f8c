import {
  approvalSettings,
  approvalSettingsRequest,
  approvalWorkflow,
  delegateRequest,
  delegation,
  delegationFilter,
  delegationId,
  escalationScan,
  escalationScanRequest,
  pageOf,
  pageQuery,
  putWorkflowRequest,
  resourceName,
  type workflowStage,
  workflowVersionQuery,
} from "@oars/contract";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { type Delegation, type Escalation, shownToken } from "#act/approvals";
import type { ApprovalSettings, Workflow, WorkflowStage } from "#act/workflows";
import { OarsError } from "#platform/kernel";
import { ifMatchHeader, ifMatchOf, tag as withTag } from "./if-match.ts";
import { afterId, afterName, afterNumber, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shown, shownOrNull } from "./wire-id.ts";

const tag = "approvals";
const byName = z.strictObject({ name: resourceName });
const byDelegation = z.strictObject({ id: delegationId });

const toToken = (approver: string): string =>
  approver.startsWith("prn_") ? `principal:${idOf("principal", approver)}` : approver;

const toStage = (s: z.output<typeof workflowStage>): WorkflowStage => ({
  ...s,
  mode: s.mode ?? (s.requiredApprovals === 1 ? "serial" : "parallel"),
  approvers: s.approvers.map(toToken),
  escalateTo: s.escalateTo.map(toToken),
});

const toWorkflow = (w: Workflow) => ({
  name: w.name,
  version: w.version,
  description: w.description,
  stages: w.stages.map((s) => ({
    ...s,
    approvers: s.approvers.map(shownToken),
    escalateTo: s.escalateTo.map(shownToken),
  })),
  digest: w.digest,
  createdBy: shownOrNull("principal", w.createdBy),
  createdAt: w.createdAt,
  retiredAt: w.retiredAt,
});

const toSettings = ({ updatedBy, ...s }: ApprovalSettings) => ({
  ...s,
  updatedBy: shownOrNull("principal", updatedBy),
});

const toDelegation = ({ fromId, toId, approvalId, createdBy, id, ...d }: Delegation) => ({
  ...d,
  id: shown("delegation", id),
  from: shown("principal", fromId),
  to: shown("principal", toId),
  approvalId: shownOrNull("approval", approvalId),
  createdBy: shown("principal", createdBy),
});

const toEscalation = (e: Escalation) => ({
  approvalId: shown("approval", e.approvalId),
  actionId: shown("action", e.actionId),
  tenantId: shown("tenant", e.tenantId),
  stageName: e.stage,
  escalateTo: e.escalateTo.map(shownToken),
  overdueSeconds: e.overdueSeconds,
});

/** The version that If-Match names; undefined takes any. Throws PRECONDITION_FAILED for what names none. */
function expectedOf(request: FastifyRequest): number | undefined {
  const tags = ifMatchOf(request);
  if (tags === undefined || tags.includes("*")) return undefined;
  const [only] = tags;
  if (tags.length !== 1 || !/^\d{1,9}$/.test(only ?? "")) throw new OarsError("PRECONDITION_FAILED");
  return Number(only);
}

const workflowRoutes: readonly ServiceRoute[] = [
  route({
    method: "PUT",
    path: "/v1/approval-workflows/:name",
    access: "approvals:manage",
    tag,
    summary: "Make an approval workflow, or its next version",
    description:
      "Approvals under way keep the version that they were made with. If-Match names the version that you saw; 0 is none.",
    params: byName,
    notFound: "WORKFLOW_NOT_FOUND",
    headers: [ifMatchHeader],
    body: putWorkflowRequest,
    answer: { status: 200, body: approvalWorkflow },
    handle: async ({ workflows }, { caller, params, body, request, reply }) => {
      const content = { description: body.description, stages: body.stages.map(toStage) };
      const done = await workflows.put(caller, params.name, content, expectedOf(request));
      withTag(reply, String(done.version));
      return toWorkflow(done);
    },
  }),
  route({
    method: "GET",
    path: "/v1/approval-workflows",
    access: "approvals:read",
    tag,
    summary: "List approval workflows by name",
    query: pageQuery,
    answer: { status: 200, body: pageOf(approvalWorkflow) },
    handle: async ({ workflows }, { caller, query }) => {
      const page = { after: afterName(query.cursor) ?? null, limit: query.limit + 1 };
      return pageOfRows(await workflows.list(caller, page), query.limit, (w) => w.name, toWorkflow);
    },
  }),
  route({
    method: "GET",
    path: "/v1/approval-workflows/:name",
    access: "approvals:read",
    tag,
    summary: "Show an approval workflow, or an earlier version of it",
    params: byName,
    notFound: "WORKFLOW_NOT_FOUND",
    query: workflowVersionQuery,
    answer: { status: 200, body: approvalWorkflow },
    handle: async ({ workflows }, { caller, params, query, reply }) => {
      const found = await workflows.find(caller, params.name, query.version);
      withTag(reply, String(found.version));
      return toWorkflow(found);
    },
  }),
  route({
    method: "GET",
    path: "/v1/approval-workflows/:name/versions",
    access: "approvals:read",
    tag,
    summary: "List the versions of an approval workflow, newest first",
    params: byName,
    notFound: "WORKFLOW_NOT_FOUND",
    query: pageQuery,
    answer: { status: 200, body: pageOf(approvalWorkflow) },
    handle: async ({ workflows }, { caller, params, query }) => {
      const page = { before: afterNumber(query.cursor) ?? null, limit: query.limit + 1 };
      const rows = await workflows.versions(caller, params.name, page);
      return pageOfRows(rows, query.limit, (w) => w.version, toWorkflow);
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/approval-workflows/:name",
    access: "approvals:manage",
    tag,
    summary: "Retire an approval workflow",
    description: "Approvals that follow it go on; policies that name it deny until it is made again.",
    params: byName,
    notFound: "WORKFLOW_NOT_FOUND",
    headers: [ifMatchHeader],
    answer: { status: 200, body: approvalWorkflow },
    handle: async ({ workflows }, { caller, params, request }) =>
      toWorkflow(await workflows.retire(caller, params.name, expectedOf(request))),
  }),
  route({
    method: "GET",
    path: "/v1/approval-settings",
    access: "approvals:read",
    tag,
    summary: "Show the tenant's approval settings",
    answer: { status: 200, body: approvalSettings },
    handle: async ({ workflows }, { caller, reply }) => {
      const found = await workflows.settings(caller);
      withTag(reply, String(found.version));
      return toSettings(found);
    },
  }),
  route({
    method: "PUT",
    path: "/v1/approval-settings",
    access: "approvals:manage",
    tag,
    summary: "Change the tenant's approval settings",
    headers: [ifMatchHeader],
    body: approvalSettingsRequest,
    answer: { status: 200, body: approvalSettings },
    handle: async ({ workflows }, { caller, body, request, reply }) => {
      const done = await workflows.changeSettings(caller, body, expectedOf(request));
      withTag(reply, String(done.version));
      return toSettings(done);
    },
  }),
];

const delegationRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/approval-delegations",
    access: "approvals:read",
    tag,
    summary: "Lend one's right to vote for a time",
    description:
      "Never further, never to who asked for the action. Another's right needs `approvals:manage`.",
    body: delegateRequest,
    answer: { status: 201, body: delegation },
    idempotency: "door",
    handle: async ({ approvals }, { caller, body }) =>
      toDelegation(
        await approvals.delegate(caller, {
          toId: idOf("principal", body.to),
          fromId: idOrUndefined("principal", body.from),
          approvalId: idOrUndefined("approval", body.approvalId),
          startsAt: body.startsAt === undefined ? undefined : new Date(body.startsAt),
          endsAt: new Date(body.endsAt),
          reason: body.reason,
        }),
      ),
  }),
  route({
    method: "GET",
    path: "/v1/approval-delegations",
    access: "approvals:read",
    tag,
    summary: "List delegations, newest first: one's own, or all with `approvals:manage`",
    query: delegationFilter,
    answer: { status: 200, body: pageOf(delegation) },
    handle: async ({ approvals }, { caller, query }) => {
      const page = { before: afterId(query.cursor) ?? null, limit: query.limit + 1 };
      return pageOfRows(await approvals.delegations(caller, page), query.limit, (d) => d.id, toDelegation);
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/approval-delegations/:id",
    access: "approvals:read",
    tag,
    summary: "Withdraw a delegation",
    params: byDelegation,
    notFound: "DELEGATION_NOT_FOUND",
    answer: { status: 200, body: delegation },
    handle: async ({ approvals }, { caller, params }) =>
      toDelegation(await approvals.revokeDelegation(caller, idOf("delegation", params.id))),
  }),
  route({
    method: "POST",
    path: "/v1/admin/approvals/escalations/scan",
    access: "approvals:manage",
    tag,
    summary: "Escalate what is overdue now",
    description: "A timer does the same; each stage is escalated once, whoever comes first.",
    body: escalationScanRequest.default({}),
    answer: { status: 200, body: escalationScan },
    idempotency: "door",
    handle: async ({ approvals }, { caller, body }) => {
      const tenantId = shown("tenant", caller.tenantId);
      if (body.tenantId !== undefined && body.tenantId !== tenantId)
        throw new OarsError("AUTH_TENANT_FORBIDDEN");
      const done = await approvals.escalateNow(caller);
      const scannedAt = new Date();
      return { scannedAt, tenantId, escalatedCount: done.length, items: done.map(toEscalation) };
    },
  }),
];

export const approvalAdminRoutes: readonly ServiceRoute[] = [...workflowRoutes, ...delegationRoutes];
