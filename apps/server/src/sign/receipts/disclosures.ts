/**
 * The sensitive members of receipts at rest. Those of one person are sealed under that person's key, so that erasing
 * the person erases salts and values, and leaves the rest of the receipt as it was signed. What is sealed is padded,
 * so that its length tells little.
 */
import { encodeDisclosure } from "@oars/receipts";
import type { Tx } from "#platform/db";
import { formatId, isOarsError, isUuid } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import type { StoredReceipt } from "./domain.ts";
import type { DraftPrincipal, ReceiptDraft } from "./draft.ts";

export const purposeOfReceipt = (receiptId: string): string => `receipt/${receiptId}`;

/** Disclosure texts that are erased together. `subjects` are empty for data of nobody in particular. */
export interface Piece {
  readonly subjects: readonly string[];
  readonly texts: readonly string[];
}

/** Whose data a principal's doings are: the person for whom it acts, else itself. */
export function subjectOf(principal: Pick<DraftPrincipal, "id" | "ownerId">): string {
  const id = principal.ownerId ?? principal.id;
  return isUuid(id) ? formatId("principal", id) : id;
}

/** The members of a draft, each with its own salt. */
export function piecesOf(draft: ReceiptDraft, salt: () => string): Piece[] {
  const texts = (members: Readonly<Record<string, unknown>>): string[] =>
    Object.entries(members).flatMap(([name, value]) =>
      value === undefined ? [] : [encodeDisclosure(salt(), name, value)],
    );
  const own = draft.subjects ?? (draft.principal ? [subjectOf(draft.principal)] : []);
  return [
    { subjects: own, texts: texts(draft.disclose ?? {}) },
    ...(draft.about ?? []).map(({ subject, disclose }) => ({ subjects: [subject], texts: texts(disclose) })),
  ].filter((piece) => piece.texts.length > 0);
}

const several = 3;

/** One sealed frame, or for several pieces `03` and each frame after its length (4 bytes, big endian). */
export async function sealPieces(
  vault: Pick<Vault, "sealer" | "subjectSealer">,
  receipt: { readonly tenantId: string; readonly id: string },
  pieces: readonly Piece[],
  within?: Tx,
): Promise<Uint8Array | null> {
  const frames: Uint8Array[] = [];
  for (const { subjects, texts } of pieces) {
    const sealer = await (subjects.length === 0
      ? vault.sealer(receipt.tenantId, within)
      : vault.subjectSealer(receipt.tenantId, subjects, within));
    frames.push(sealer.seal(purposeOfReceipt(receipt.id), padded(texts.join("~"))));
  }
  const [first] = frames;
  if (first === undefined) return null;
  if (frames.length === 1) return first;
  return Buffer.concat([Buffer.of(several), ...frames.flatMap((frame) => [lengthOf(frame), frame])]);
}

function lengthOf(frame: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  return length;
}

/** A tilde and a space never occur inside a disclosure, which is base64url. */
function padded(text: string): Uint8Array {
  const step = text.length <= 4096 ? 256 : 4096;
  return Buffer.from(text.padEnd(Math.ceil(text.length / step) * step));
}

/** The disclosure texts of a stored receipt, without those that were erased. */
export async function openDisclosures(
  vault: Pick<Vault, "open">,
  tenantId: string,
  receipt: Pick<StoredReceipt, "id" | "sealed">,
): Promise<string[]> {
  const texts: string[] = [];
  for (const frame of framesOf(receipt.sealed)) {
    try {
      const plain = await vault.open(tenantId, purposeOfReceipt(receipt.id), frame);
      texts.push(...Buffer.from(plain).toString().trimEnd().split("~"));
    } catch (error) {
      if (!isOarsError(error) || error.code !== "SECRET_ERASED") throw error;
    }
  }
  return texts;
}

function framesOf(sealed: Uint8Array | null): Uint8Array[] {
  if (!sealed) return [];
  if (sealed[0] !== several) return [sealed];
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const frames: Uint8Array[] = [];
  for (let at = 1; at + 4 <= sealed.length; ) {
    const length = view.getUint32(at);
    frames.push(sealed.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return frames;
}
