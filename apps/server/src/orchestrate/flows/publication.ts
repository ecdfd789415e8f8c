/** The receipt of a published version: from then on it may run. */
import type { Caller } from "#platform/access";
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import type { Receipts } from "#sign/receipts";
import type { NewVersion } from "./service.ts";

/** Durable with the version, or neither is. */
export async function signPublication(
  receipts: Pick<Receipts, "add">,
  tx: Tx,
  caller: Caller,
  { name, version, hash }: NewVersion,
): Promise<void> {
  const into = new WriteSet();
  await receipts.add(
    into,
    {
      tenantId: caller.tenantId,
      type: "flow.published",
      flow: { name, version, hash },
      principal: { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId },
      evidence: { observed: ["flow"] },
    },
    tx,
  );
  await applyWrites(tx, into);
}
