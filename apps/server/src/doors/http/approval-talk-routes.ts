import {
  approvalComment,
  approvalDetail,
  approvalLink,
  commentRequest,
  linkRequest,
  openLinkRequest,
  pageOf,
  pageQuery,
} from "@oars/contract";
import { z } from "zod";
import type { ApprovalLinks, Comment } from "#act/approvals";
import { isOarsError, OarsError } from "#platform/kernel";
import { approvalPage } from "./approval-page.ts";
import { byApproval } from "./approval-routes.ts";
import { toDetail } from "./approval-view.ts";
import { afterId, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, shown } from "./wire-id.ts";

const tag = "approvals";

const toComment = (c: Comment) => ({
  id: shown("comment", c.id),
  by: shown("principal", c.principalId),
  byName: c.principalName,
  byKind: c.principalKind,
  text: c.body,
  at: c.at,
});

function leadsSomewhere(links: ApprovalLinks, token: string): boolean {
  try {
    links.open(token);
    return true;
  } catch (error) {
    if (isOarsError(error)) return false;
    throw error;
  }
}

export const approvalTalkRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/approvals/:id/comments",
    access: "approvals:read",
    tag,
    summary: "Comment on an approval",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    body: commentRequest,
    answer: { status: 201, body: approvalComment },
    idempotency: "door",
    handle: async ({ approvals }, { caller, params, body }) =>
      toComment(await approvals.comment(caller, idOf("approval", params.id), body.text)),
  }),
  route({
    method: "GET",
    path: "/v1/approvals/:id/comments",
    access: "approvals:read",
    tag,
    summary: "List the comments on an approval, oldest first",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    query: pageQuery,
    answer: { status: 200, body: pageOf(approvalComment) },
    handle: async ({ approvals }, { caller, params, query }) => {
      const page = { after: afterId(query.cursor) ?? null, limit: query.limit + 1 };
      const rows = await approvals.comments(caller, idOf("approval", params.id), page);
      return pageOfRows(rows, query.limit, (c) => c.id, toComment);
    },
  }),
  route({
    method: "POST",
    path: "/v1/approvals/:id/link",
    access: "approvals:read",
    tag,
    summary: "Make a link to an approval for mail or chat",
    description: "The link gives no right: its page asks for the approver's own credentials.",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    body: linkRequest.prefault({}),
    answer: { status: 201, body: approvalLink },
    idempotency: "door",
    handle: async ({ approvals, approvalLinks }, { caller, params, body }) => {
      const { id } = await approvals.find(caller, idOf("approval", params.id));
      return approvalLinks.make(caller.tenantId, id, body.expiresInSeconds * 1000);
    },
  }),
  route({
    method: "GET",
    path: "/approve/:token",
    access: "anonymous",
    tag,
    summary: "The page behind a link to an approval",
    description: "Shows nothing before the approver signs in, and changes nothing by being opened.",
    params: z.strictObject({ token: z.string().max(256) }),
    notFound: "APPROVAL_LINK_NOT_FOUND",
    answer: { status: 200, type: "text/html; charset=utf-8" },
    handle: ({ approvalLinks }, { params, reply }) => {
      const good = leadsSomewhere(approvalLinks, params.token);
      return reply
        .code(good ? 200 : 404)
        .header("content-security-policy", approvalPage.policy)
        .header("x-robots-tag", "noindex")
        .header("content-type", "text/html; charset=utf-8")
        .send(good ? approvalPage.html : approvalPage.gone);
    },
  }),
  route({
    method: "POST",
    path: "/v1/approval-links/open",
    access: "approvals:read",
    tag,
    summary: "Show the approval that a link leads to",
    description: "Reads and changes nothing. A link of another tenant looks like a damaged one.",
    body: openLinkRequest,
    answer: { status: 200, body: approvalDetail },
    handle: async ({ approvals, approvalLinks }, { caller, body }) => {
      const { tenantId, approvalId } = approvalLinks.open(body.token);
      if (tenantId !== caller.tenantId) throw new OarsError("APPROVAL_LINK_NOT_FOUND");
      return toDetail(await approvals.detail(caller, approvalId));
    },
  }),
];
