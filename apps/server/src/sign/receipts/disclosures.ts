import { encodeDisclosure } from "@oars/receipts";
import type { Vault } from "#platform/vault";
import type { StoredReceipt } from "./domain.ts";
import type { ReceiptDraft } from "./draft.ts";

export const purposeOfReceipt = (receiptId: string): string => `receipt/${receiptId}`;

/** Disclosure texts of a draft's sensitive members, each with its own salt. */
export function disclosuresFor(draft: ReceiptDraft, salt: () => string): string[] {
  if (!draft.disclose) return [];
  const shown = Object.entries(draft.disclose).filter(([, value]) => value !== undefined);
  return shown.map(([name, value]) => encodeDisclosure(salt(), name, value));
}

/** As they are sealed: a tilde never occurs inside a disclosure. */
export const joinDisclosures = (texts: readonly string[]): Uint8Array => Buffer.from(texts.join("~"));

/** The disclosure texts of a stored receipt; none when it has none or they were erased. */
export async function openDisclosures(
  vault: Pick<Vault, "open">,
  tenantId: string,
  receipt: Pick<StoredReceipt, "id" | "sealed">,
): Promise<string[]> {
  if (!receipt.sealed) return [];
  const plain = await vault.open(tenantId, purposeOfReceipt(receipt.id), receipt.sealed);
  return Buffer.from(plain).toString().split("~");
}
