/** `c2sp.org/tlog-proof@v1`: one text that proves a receipt's place in a log, offline. */
import { fromBase64, fromUtf8, toBase64, utf8 } from "./bytes.ts";
import { parseDecimal } from "./checkpoint.ts";
import { FormatError } from "./format-error.ts";
import type { Hash } from "./merkle.ts";

export const tlogProofHeader = "c2sp.org/tlog-proof@v1";
/** A tree of 2^53 leaves has 53 levels. */
const longestProof = 64;

export interface TlogProof {
  readonly index: number;
  readonly hashes: readonly Hash[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
  /** The SD-JWT. Not authenticated by the format: it counts only because the leaf is computed from it. */
  readonly extra?: string;
}

export function formatTlogProof(proof: TlogProof): string {
  const lines = [
    tlogProofHeader,
    ...(proof.extra === undefined ? [] : [`extra ${toBase64(utf8(proof.extra))}`]),
    `index ${proof.index}`,
    ...proof.hashes.map(toBase64),
    "",
  ];
  return `${lines.join("\n")}\n${proof.checkpoint}`;
}

/** Hostile input. Throws FormatError. */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf("\n\n");
  if (split < 0) throw new FormatError("the proof has no blank line before its checkpoint");
  const [header, ...lines] = text.slice(0, split).split("\n");
  if (header !== tlogProofHeader) throw new FormatError(`the proof does not start with ${tlogProofHeader}`);
  const extra = lines[0]?.startsWith("extra ") ? lines.shift()?.slice("extra ".length) : undefined;
  const index = lines.shift() ?? "";
  if (!index.startsWith("index ")) throw new FormatError("the proof has no index line");
  if (lines.length > longestProof) throw new FormatError(`the proof has more than ${longestProof} hashes`);
  const hashes = lines.map(fromBase64);
  if (hashes.some((hash) => hash.length !== 32))
    throw new FormatError("a hash of the proof has not 32 bytes");
  return {
    index: parseDecimal(index.slice("index ".length), "the index"),
    hashes,
    checkpoint: text.slice(split + 2),
    ...(extra === undefined ? {} : { extra: fromUtf8(fromBase64(extra)) }),
  };
}
