/** C2SP tlog-checkpoint: the text of a note that states a tree head. */
import { fromBase64, toBase64 } from "./bytes.ts";
import { FormatError } from "./format-error.ts";
import type { Hash } from "./merkle.ts";
import { type Note, parseNote } from "./note.ts";

export interface TreeHead {
  /** Name of the log, without spaces and plus signs. */
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
}

export interface Checkpoint extends TreeHead {
  readonly note: Note;
}

/** The note text: origin, size, root; no extension lines. */
export const formatTreeHead = (head: TreeHead): string =>
  `${head.origin}\n${head.size}\n${toBase64(head.root)}\n`;

/** A decimal without leading zeroes, up to 2^53-1. Throws FormatError. */
export function parseDecimal(text: string, what: string): number {
  const value = Number(text);
  if (!/^(0|[1-9]\d{0,15})$/.test(text) || !Number.isSafeInteger(value))
    throw new FormatError(`${what} is not a decimal number`);
  return value;
}

/** Reads a checkpoint note; extension lines are tolerated. Signatures are not checked. Throws FormatError. */
export function parseCheckpoint(text: string): Checkpoint {
  const note = parseNote(text);
  const [origin = "", size = "", root = "", ...extensions] = note.text.slice(0, -1).split("\n");
  if (origin === "") throw new FormatError("the checkpoint has no origin");
  if (extensions.includes("")) throw new FormatError("an extension line is empty");
  const head = { origin, size: parseDecimal(size, "the tree size"), root: fromBase64(root) };
  if (head.root.length !== 32) throw new FormatError("the root hash has not 32 bytes");
  return { ...head, note };
}
