import {
  pageOf,
  receipt,
  receiptBundle,
  receiptFilter,
  receiptId,
  runId,
  verification,
  verifyReceiptRequest,
} from "@oars/contract";
import { fromBase64Url, parseJws, type TrustDocument } from "@oars/receipts";
import { z } from "zod";
import { isOarsError } from "#platform/kernel";
import type { StoredReceipt } from "#sign/receipts";
import { afterId, pageOfMore } from "./page.ts";
import { route, type ServiceRoute, type Services } from "./services.ts";
import { idOf, idOrUndefined, shown, shownOrNull } from "./wire-id.ts";

const tag = "receipts";
/** Beyond the number of any event. */
const lastEvent = 999_999_999;

const byId = z.strictObject({ id: receiptId });

const toReceipt = (r: StoredReceipt) => ({
  id: shown("receipt", r.id),
  type: r.type,
  runId: shownOrNull("run", r.runId),
  actionId: shownOrNull("action", r.actionId),
  principalId: shownOrNull("principal", r.principalId),
  tool: r.tool,
  effect: r.effect,
  body: JSON.parse(Buffer.from(fromBase64Url(parseJws(r.jws).payload)).toString("utf8")),
  jws: r.jws,
  createdAt: r.createdAt,
});

export const receiptRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/receipts",
    access: "receipts:read",
    tag,
    summary: "List receipts, newest first",
    query: receiptFilter,
    answer: { status: 200, body: pageOf(receipt) },
    handle: async ({ receipts }, { caller, query }) => {
      const filter = {
        runId: idOrUndefined("run", query.run) ?? null,
        actionId: idOrUndefined("action", query.action) ?? null,
        principalId: idOrUndefined("principal", query.principal) ?? null,
        type: query.type ?? null,
      };
      const page = { limit: query.limit, cursor: afterId(query.cursor) ?? null };
      const { items, next } = await receipts.list(caller.tenantId, filter, page);
      return pageOfMore(items, next !== null, (r) => r.id, toReceipt);
    },
  }),
  route({
    method: "GET",
    path: "/v1/receipts/:id",
    access: "receipts:read",
    tag,
    summary: "Show a receipt",
    params: byId,
    notFound: "RECEIPT_NOT_FOUND",
    answer: { status: 200, body: receipt },
    handle: async ({ receipts }, { caller, params }) =>
      toReceipt(await receipts.find(caller.tenantId, idOf("receipt", params.id))),
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
      "The same checks as the offline verifier, against the tenant's own keys and those in `trust`.",
    body: verifyReceiptRequest,
    answer: { status: 200, body: verification },
    handle: async (services, { caller, body }) => {
      const text =
        body.receipt ?? (await storedText(services, caller.tenantId, idOf("receipt", body.receiptId ?? "")));
      return services.receipts.verify(
        caller.tenantId,
        text,
        body.trust as readonly TrustDocument[] | undefined,
      ); // by its schema
    },
  }),
];

/** A stored receipt with its proof, or without one while it is not in the log yet. */
async function storedText({ receipts, receiptLog }: Services, tenantId: string, id: string): Promise<string> {
  try {
    return await receiptLog.tlogProof(tenantId, id);
  } catch (error) {
    if (isOarsError(error) && error.code === "RECEIPT_NOT_LOGGED") {
      return receipts.sdJwt(tenantId, id, { disclose: false });
    }
    throw error;
  }
}
