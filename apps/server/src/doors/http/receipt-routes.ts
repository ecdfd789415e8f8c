import {
  pageOf,
  receipt,
  receiptBundle,
  receiptFilter,
  receiptId,
  receiptQuery,
  receiptReplay,
  receiptWithProof,
  runId,
  verification,
  verifyReceiptRequest,
} from "@oars/contract";
import type { TrustDocument } from "@oars/receipts";
import { z } from "zod";
import type { ListFilter } from "#sign/receipts";
import { afterId, cursorOf } from "./page.ts";
import { showReceipt, storedChain, toReceipt } from "./receipt-view.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined } from "./wire-id.ts";

const tag = "receipts";
/** Beyond the number of any event. */
const lastEvent = 999_999_999;

const byId = z.strictObject({ id: receiptId });

const toFilter = (query: z.output<typeof receiptFilter>): ListFilter => ({
  runId: idOrUndefined("run", query.run) ?? null,
  actionId: idOrUndefined("action", query.action) ?? null,
  actorId: idOrUndefined("principal", query.actor) ?? null,
  principalId: idOrUndefined("principal", query.agent ?? query.principal) ?? null,
  type: query.type ?? null,
  tool: query.tool ?? null,
  operation: query.operation ?? null,
  target: query.target ?? null,
  effect: query.decision ?? null,
  policy: query.policy ?? null,
  policyVersion: query.policyVersion ?? null,
  rule: query.rule ?? null,
  from: query.from === undefined ? null : new Date(query.from),
  to: query.to === undefined ? null : new Date(query.to),
});

/** Framework and control; nothing when none is asked for. */
function controlOf({ control, framework, controlId }: z.output<typeof receiptFilter>): readonly string[] {
  if (framework !== undefined && controlId !== undefined) return [framework, controlId];
  if (control === undefined) return [];
  const at = control.indexOf("/");
  return [control.slice(0, at), control.slice(at + 1)];
}

export const receiptRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/receipts",
    access: "receipts:read",
    tag,
    summary: "List receipts, newest first",
    description:
      "Every filter that is given must hold. The list reaches back to the first receipt: a page may be short, even empty, and still have a `nextCursor`, because a page looks at a bounded number of receipts. It ends where `nextCursor` is null.",
    query: receiptFilter,
    answer: { status: 200, body: pageOf(receipt) },
    handle: async ({ receipts, evidence }, { caller, query }) => {
      const { tenantId } = caller;
      const page = { limit: query.limit, cursor: afterId(query.cursor) ?? null };
      const [framework = "", controlId = ""] = controlOf(query);
      const also = framework === "" ? null : await evidence.ofControl(tenantId, framework, controlId);
      const { items, next } = await receipts.list(tenantId, { ...toFilter(query), also }, page);
      const controls = await evidence.controlsOf(
        tenantId,
        items.map(({ id }) => id),
      );
      return {
        items: items.map((r) => toReceipt(r, controls.get(r.id))),
        nextCursor: next === null ? null : cursorOf(next),
      };
    },
  }),
  route({
    method: "GET",
    path: "/v1/receipts/:id",
    access: "receipts:read",
    tag,
    summary: "Show a receipt",
    description:
      "JSON with its place in the log, or the format that `format` or `Accept` asks for: SD-JWT (RFC 9901), tlog-proof (C2SP), in-toto Statement in DSSE, COSE_Sign1 with a COSE receipt (RFC 9942), CloudEvent 1.0; or with all that its policy was asked (`replay`), for `oars-verify --replay`.",
    params: byId,
    query: receiptQuery,
    notFound: "RECEIPT_NOT_FOUND",
    answer: { status: 200, body: z.union([receiptWithProof, receiptReplay]) },
    otherAnswers: [
      { status: 200, type: "text/plain; charset=utf-8", description: "tlog-proof" },
      { status: 200, type: "application/sd-jwt" },
      { status: 200, type: "application/jose", description: "JWS in compact form" },
      { status: 200, type: "application/vnd.dsse.envelope.v1+json", body: z.unknown() },
      { status: 200, type: "application/cloudevents+json", body: z.unknown() },
      { status: 200, type: "application/cose" },
    ],
    handle: (services, { caller, params, query, request, reply }) =>
      showReceipt(services, { caller, id: idOf("receipt", params.id), query, request, reply }),
  }),
  route({
    method: "GET",
    path: "/v1/receipts/:id/proof",
    access: "receipts:read",
    tag,
    summary: "A receipt with its proof of inclusion",
    description: "One `c2sp.org/tlog-proof@v1` text: with the trust keys it is all that a stranger needs.",
    params: byId,
    notFound: "RECEIPT_NOT_FOUND",
    answer: { status: 200, type: "text/plain; charset=utf-8" },
    handle: ({ receiptLog }, { caller, params }) =>
      receiptLog.tlogProof(caller.tenantId, idOf("receipt", params.id)),
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id/receipts",
    access: "receipts:read",
    tag,
    summary: "All receipts of a run with proofs",
    params: z.strictObject({ id: runId }),
    notFound: "RUN_NOT_FOUND",
    answer: { status: 200, body: receiptBundle },
    handle: async ({ runs, receiptLog }, { caller, params }) => {
      const id = idOf("run", params.id);
      await runs.eventList(caller, id, lastEvent); // refuses a run that is not there
      return receiptLog.exportRun(caller.tenantId, id);
    },
  }),
  route({
    method: "POST",
    path: "/v1/receipts/verify",
    access: "receipts:verify",
    tag,
    summary: "Verify a receipt",
    description:
      "The same checks as the offline verifier, each reported apart, against the tenant's own keys and those in `trust`. A stored receipt is checked with the chain of its action. Keys that you supply count only for issuers that this server does not know. Also reads `receipt_id`, `public_key_pem` and `public_keys`.",
    body: verifyReceiptRequest,
    answer: { status: 200, body: verification },
    handle: async (services, { caller, body }) => {
      const { tenantId } = caller;
      const given =
        body.receipt === undefined
          ? await storedChain(services, tenantId, idOf("receipt", body.receiptId ?? ""))
          : { text: body.receipt, chain: body.chain };
      const single = body.publicKeyPem === undefined ? [] : [{ publicKeyPem: body.publicKeyPem }];
      return services.receipts.verifyRequest(tenantId, {
        ...given,
        keys: [...(body.publicKeys ?? []), ...single],
        trust: body.trust as readonly TrustDocument[] | undefined, // by its schema
      });
    },
  }),
];
