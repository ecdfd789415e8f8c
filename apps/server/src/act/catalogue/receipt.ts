/** The receipts of the catalogue: what changed of a tool, who accepted it, how it is classified, what is allowed. */
import type { Caller } from "#platform/access";
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import type { ReceiptDraft } from "#sign/receipts";

/** All that this room needs of `sign/receipts`. */
export interface ReceiptSink {
  add(into: WriteSet, receipt: ReceiptDraft, within?: Tx): Promise<unknown>;
}

export interface Change {
  /** `tool.changed`, `tool.reviewed`, `tool.classified`, `tools.allowed`. */
  readonly command: string;
  readonly effect: "allow" | "quarantine";
  readonly message: string;
  /** The tool, the connection's tools or the list that it is about. */
  readonly about: string;
  readonly permission: string;
  /** Digests before and after, where there are such. */
  readonly from?: string;
  readonly to?: string;
  /** Not in the signed body. */
  readonly disclose: Readonly<Record<string, unknown>>;
}

export type ToolEvents = Pick<SecurityEvents, "record">;

/** Adds the receipt of a change to the transaction that makes it, and the security event that goes with it. */
export async function addChange(
  deps: { readonly receipts: ReceiptSink; readonly events?: ToolEvents | undefined },
  tx: Tx,
  caller: Caller,
  change: Change,
): Promise<void> {
  const set = new WriteSet();
  await deps.receipts.add(set, changeReceipt(caller, change), tx);
  await applyWrites(tx, set);
  await deps.events?.record(tx, {
    tenantId: caller.tenantId,
    type: change.command === "tool.reviewed" ? "tool.reviewed" : "tool.changed",
    actor: caller,
    message: change.message,
    target: { kind: "tool", id: change.about },
    details: { command: change.command, effect: change.effect },
  });
}

const changeReceipt = (caller: Caller, change: Change): ReceiptDraft => ({
  tenantId: caller.tenantId,
  type: "tool.definition_changed",
  principal: {
    id: caller.principalId,
    kind: caller.principalKind,
    ownerId: caller.ownerId,
    auth: { method: caller.credential.kind },
  },
  decision: {
    effect: change.effect,
    reasons: [change.permission],
    mode: "enforce",
    message: change.message,
  },
  operation: {
    command: change.command,
    ...(change.from === undefined ? {} : { from: change.from }),
    ...(change.to === undefined ? {} : { to: change.to }),
  },
  evidence: { observed: ["operation"] },
  disclose: change.disclose,
});
