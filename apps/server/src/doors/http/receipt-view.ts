/** A receipt as the API shows it: as JSON with its proof, or in the format that was asked for. */
import type { ReceiptFormat, receiptQuery } from "@oars/contract";
import { decodeBody, decodeDisclosure, parseSdJwt, replayFormat, toBase64 } from "@oars/receipts";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { type Caller, requirePermission } from "#platform/access";
import { isOarsError } from "#platform/kernel";
import { mediaTypes } from "#sign/interop";
import type { StoredReceipt } from "#sign/receipts";
import type { Services } from "./services.ts";
import { shown, shownOrNull } from "./wire-id.ts";

/** `controls` are those that it is evidence of, as `framework/control`. */
export const toReceipt = (r: StoredReceipt, controls: readonly string[] = []) => ({
  id: shown("receipt", r.id),
  type: r.type,
  runId: shownOrNull("run", r.runId),
  actionId: shownOrNull("action", r.actionId),
  principalId: shownOrNull("principal", r.principalId),
  userId: shownOrNull("principal", r.userId),
  tool: r.tool,
  operation: r.operation,
  target: r.target,
  effect: r.effect,
  policy: r.policy,
  policyVersion: r.policyVersion,
  rules: r.rules,
  controls,
  body: decodeBody(r.jws),
  jws: r.jws,
  createdAt: r.createdAt,
});

export interface ReceiptView {
  readonly caller: Caller;
  readonly id: string;
  readonly query: z.output<typeof receiptQuery>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Throws AUTH_FORBIDDEN for sensitive members without the permission, RECEIPT_NOT_FOUND, RECEIPT_NOT_LOGGED. */
export async function showReceipt(services: Services, view: ReceiptView): Promise<unknown> {
  const { caller, id, query, reply } = view;
  const disclose = query.disclose === "true";
  if (disclose) requirePermission(caller, "receipts:disclose");
  const format = query.format ?? accepted(view.request.headers.accept);
  reply.header("vary", "accept");
  if (format === "replay") return replayOf(services, caller, id);
  if (format !== "json") {
    const { type, body } = await services.interop.write(caller.tenantId, id, format, { disclose });
    return reply
      .code(200)
      .header("content-type", type)
      .send(typeof body === "string" ? body : Buffer.from(body));
  }
  const receipt = await services.receipts.find(caller.tenantId, id);
  const proof = await proofOf(services, caller.tenantId, id);
  const members = disclose ? await disclosedMembers(services, caller.tenantId, id) : {};
  const controls = await services.evidence.controlsOf(caller.tenantId, [id]);
  return { ...toReceipt(receipt, controls.get(id)), proof, ...members };
}

/** The receipt as it can be verified, and what its decision was made of. Errors: see `Rehearsals.disclose`. */
async function replayOf(services: Services, caller: Caller, id: string) {
  requirePermission(caller, "receipts:disclose");
  const { jws, actionId } = await services.receipts.find(caller.tenantId, id);
  const { decision } = decodeBody(jws);
  const made = await services.rehearsals.disclose(caller, { actionId, ...decision });
  const { source, schema, guards, grants, released, entities, context } = made;
  return {
    format: replayFormat,
    receiptId: shown("receipt", id),
    receipt: await provenText(services, caller.tenantId, id),
    policy: { source, schema, guards, grants, released },
    entities,
    context,
  };
}

/** The first media type of the header that names a format; JSON when none does. Weights are not read. */
function accepted(header: string | undefined): ReceiptFormat {
  for (const part of (header ?? "").split(",")) {
    const type = part.split(";", 1)[0]?.trim().toLowerCase() ?? "";
    if (type === "application/json" || type === "*/*") return "json";
    const format = Object.hasOwn(mediaTypes, type) ? mediaTypes[type] : undefined;
    if (format !== undefined) return format;
  }
  return "json";
}

async function proofOf({ receiptLog }: Services, tenantId: string, id: string) {
  try {
    const { index, size, hashes, checkpoint } = await receiptLog.inclusion(tenantId, id);
    return { index, size, hashes: hashes.map(toBase64), checkpoint };
  } catch (error) {
    if (isOarsError(error) && error.code === "RECEIPT_NOT_LOGGED") return null;
    throw error;
  }
}

async function disclosedMembers({ receipts }: Services, tenantId: string, id: string) {
  const { disclosures } = parseSdJwt(await receipts.sdJwt(tenantId, id, { disclose: true }));
  const members = disclosures.map(decodeDisclosure).map(({ name, value }) => [name, value]);
  return { disclosed: Object.fromEntries(members) as Record<string, unknown> }; // names and JSON values
}

const mostInChain = 200;

/** A stored receipt with its proof, and the chain that it belongs to: the receipts of its action, else itself. */
export async function storedChain(
  services: Services,
  tenantId: string,
  id: string,
): Promise<{ text: string; chain: string[] }> {
  const receipt = await services.receipts.find(tenantId, id);
  const filter = { actionId: receipt.actionId };
  const { items } =
    receipt.actionId === null
      ? { items: [receipt] }
      : await services.receipts.list(tenantId, filter, { limit: mostInChain, order: "oldest" });
  const chain: string[] = [];
  for (const item of items) chain.push(await provenText(services, tenantId, item.id));
  return { text: await provenText(services, tenantId, id), chain };
}

/** With its proof, or without one while it is not in the log yet. */
async function provenText({ receipts, receiptLog }: Services, tenantId: string, id: string): Promise<string> {
  try {
    return await receiptLog.tlogProof(tenantId, id);
  } catch (error) {
    if (isOarsError(error) && error.code === "RECEIPT_NOT_LOGGED")
      return receipts.sdJwt(tenantId, id, { disclose: false });
    throw error;
  }
}
