/**
 * How much must be known of a change before its answer leaves: `Prefer: receipt=sync` waits until its receipts are under a
 * signed head of the log, `receipt=witnessed` until witnesses cosigned that. The change itself is durable by then,
 * whatever comes of the wait: `Receipt-Durability` in the answer says what was reached, and nothing is undone.
 */
import type { FastifyReply, FastifyRequest } from "fastify";

export type ReceiptMode = "sync" | "witnessed";
/** `async`: receipts are durable, and in the log soon. */
export type Reached = "async" | ReceiptMode;

/** Waits for the log of a tenant; never rejects, and answers in bounded time. */
export type Settle = (tenantId: string, mode: ReceiptMode) => Promise<Reached>;

/** What `Prefer` asks for (RFC 7240); anything else in it is for others. */
export function receiptModeOf(prefer: string | string[] | undefined): ReceiptMode | undefined {
  const asked = [prefer ?? []].flat().join(",").split(/[,;]/);
  const mode = asked
    .map((text) => /^\s*receipt="?(sync|witnessed)"?\s*$/i.exec(text)?.[1]?.toLowerCase())
    .find(Boolean);
  return mode === "sync" || mode === "witnessed" ? mode : undefined;
}

/** Does it for a change that was made, and says in the answer how it went. */
export async function applyReceiptMode(
  settle: Settle,
  tenantId: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const mode = receiptModeOf(request.headers.prefer);
  if (mode === undefined) return;
  const reached = await settle(tenantId, mode);
  reply.header("receipt-durability", reached);
  if (reached !== mode) return;
  const others = [reply.getHeader("preference-applied") ?? []].flat();
  reply.header("preference-applied", [...others, `receipt=${mode}`].join(", "));
}
