import {
  eraseRequest,
  erasure,
  erasureId,
  holdId,
  legalHold,
  pageOf,
  placeHoldRequest,
  releaseHoldRequest,
  retentionRules,
  subjectExport,
  subjectExportRequest,
} from "@oars/contract";
import { z } from "zod";
import type { Erasure, Hold, NewHold } from "#operate/privacy";
import { toAction } from "./action-view.ts";
import { afterId, cursorOf } from "./page.ts";
import { toReceipt } from "./receipt-view.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shown, shownOrNull } from "./wire-id.ts";

const tag = "privacy";

const toHold = (h: Hold) => ({
  ...h,
  id: shown("hold", h.id),
  ref: h.scope === "tenant" ? null : h.scope === "subject" ? h.ref : shown(h.scope, h.ref),
  placedBy: shown("principal", h.placedBy),
  releasedBy: shownOrNull("principal", h.releasedBy),
});

const toErasure = (e: Erasure) => ({
  ...e,
  id: shown("erasure", e.id),
  requestedBy: shown("principal", e.requestedBy),
});

const toNewHold = ({ scope, reason, run, action, subject }: z.output<typeof placeHoldRequest>): NewHold => ({
  scope,
  reason,
  ref: idOrUndefined("run", run) ?? idOrUndefined("action", action) ?? subject ?? "",
});

export const privacyRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/privacy/holds",
    access: "privacy:read",
    tag,
    summary: "List legal holds, newest first",
    answer: { status: 200, body: pageOf(legalHold) },
    handle: async ({ privacy }, { caller }) => ({
      items: (await privacy.listHolds(caller)).map(toHold),
      nextCursor: null,
    }),
  }),
  route({
    method: "POST",
    path: "/v1/privacy/holds",
    access: "privacy:write",
    tag,
    summary: "Place a legal hold",
    description:
      "On everything of the tenant, on a run, an action or a person. It wins over retention and erasure.",
    idempotency: "door",
    body: placeHoldRequest,
    answer: { status: 201, body: legalHold },
    handle: async ({ privacy }, { caller, body }) => toHold(await privacy.placeHold(caller, toNewHold(body))),
  }),
  route({
    method: "POST",
    path: "/v1/privacy/holds/:id/release",
    access: "privacy:write",
    tag,
    summary: "Release a legal hold",
    idempotency: "door",
    params: z.strictObject({ id: holdId }),
    notFound: "PRIVACY_HOLD_NOT_FOUND",
    body: releaseHoldRequest,
    answer: { status: 200, body: legalHold },
    handle: async ({ privacy }, { caller, params, body }) =>
      toHold(await privacy.releaseHold(caller, idOf("hold", params.id), body.reason)),
  }),
  route({
    method: "GET",
    path: "/v1/privacy/retention",
    access: "privacy:read",
    tag,
    summary: "How long receipts are kept, by type",
    answer: { status: 200, body: retentionRules },
    handle: async ({ privacy }, { caller }) => ({ rules: await privacy.listRules(caller) }),
  }),
  route({
    method: "PUT",
    path: "/v1/privacy/retention",
    access: "privacy:write",
    tag,
    summary: "Set how long receipts are kept",
    description:
      "Replaces all rules. Applied daily, by the database's clock. Leaf hashes and checkpoints are kept for ever, so that a copy that somebody kept can still be proven. The installation's own limits apply besides.",
    body: retentionRules,
    answer: { status: 200, body: retentionRules },
    handle: async ({ privacy }, { caller, body }) => ({ rules: await privacy.putRules(caller, body.rules) }),
  }),
  route({
    method: "GET",
    path: "/v1/privacy/erasures",
    access: "privacy:read",
    tag,
    summary: "List erasures, newest first",
    answer: { status: 200, body: pageOf(erasure) },
    handle: async ({ privacy }, { caller }) => ({
      items: (await privacy.listErasures(caller)).map(toErasure),
      nextCursor: null,
    }),
  }),
  route({
    method: "GET",
    path: "/v1/privacy/erasures/:id",
    access: "privacy:read",
    tag,
    summary: "Show an erasure",
    params: z.strictObject({ id: erasureId }),
    notFound: "PRIVACY_ERASURE_NOT_FOUND",
    answer: { status: 200, body: erasure },
    handle: async ({ privacy }, { caller, params }) =>
      toErasure(await privacy.findErasure(caller, idOf("erasure", params.id))),
  }),
  route({
    method: "POST",
    path: "/v1/privacy/erasures",
    access: "privacy:write",
    tag,
    summary: "Erase a person",
    description:
      "Destroys the person's key, and with it what receipts and actions hold of them; empties what actions and ended runs of theirs hold in clear. Receipts, signatures and proofs stay valid. Refused under a legal hold and while something of theirs is under way.",
    idempotency: "door",
    body: eraseRequest,
    answer: { status: 201, body: erasure },
    handle: async ({ privacy }, { caller, body }) => toErasure(await privacy.erase(caller, body.subject)),
  }),
  route({
    method: "POST",
    path: "/v1/privacy/exports",
    access: "privacy:write",
    tag,
    summary: "What is held about a person",
    description:
      "Receipts with their sensitive members, actions and runs, in pages. The first page is receipted.",
    body: subjectExportRequest,
    answer: { status: 200, body: subjectExport },
    handle: async ({ privacy }, { caller, body }) => {
      const found = await privacy.exportSubject(caller, body.subject, afterId(body.cursor) ?? null);
      return {
        receipts: found.receipts.map(({ receipt, disclosed }) => ({ ...toReceipt(receipt), disclosed })),
        actions: found.actions.map((action) => toAction(action)),
        runs: found.runs.map((run) => ({ ...run, id: shown("run", run.id) })),
        nextCursor: found.next === null ? null : cursorOf(found.next),
      };
    },
  }),
];
