/**
 * The log of logs: one tree for an installation whose leaves are the heads of its tenants' logs, so that witnesses
 * follow one origin. That a receipt was there at a time is then two proofs: the receipt in its tenant's log, and the
 * head of that log in the log of logs, under a checkpoint that witnesses cosigned.
 */
import { equalBytes, fromBase64, toBase64, utf8 } from "./bytes.ts";
import { parseCheckpoint, parseDecimal, type TreeHead } from "./checkpoint.ts";
import { readCosignatures, type WitnessKey } from "./cosignature.ts";
import type { Sha256, VerifyCrypto } from "./crypto.ts";
import { FormatError } from "./format-error.ts";
import { type Hash, leafHash } from "./merkle.ts";
import { verifyInclusion } from "./merkle-verify.ts";
import { type NoteKey, verifyNote } from "./note.ts";

const entryHeader = "oars/head/v1";

export interface HeadEntry extends TreeHead {
  /** When the installation stated it, Unix seconds. Proven only by the cosignatures over it. */
  readonly seconds: number;
}

/** The entry of a head, as text. */
export const formatHeadEntry = ({ origin, size, root, seconds }: HeadEntry): string =>
  `${entryHeader}\n${origin}\n${size}\n${toBase64(root)}\n${seconds}\n`;

/** Throws FormatError. */
export function parseHeadEntry(text: string): HeadEntry {
  const [header, origin = "", size = "", root = "", seconds = "", end, ...more] = text.split("\n");
  if (header !== entryHeader || origin === "" || end !== "" || more.length > 0)
    throw new FormatError("not the entry of a head");
  const hash = fromBase64(root);
  if (hash.length !== 32) throw new FormatError("the root hash has not 32 bytes");
  return {
    origin,
    size: parseDecimal(size, "the tree size"),
    root: hash,
    seconds: parseDecimal(seconds, "the time"),
  };
}

export const headLeaf = (entry: string, sha256: Sha256): Hash => leafHash(utf8(entry), sha256);

/** Answer of `GET /v1/log/proof/witness`. Hashes are base64. */
export interface WitnessProof {
  readonly leafIndex: number;
  readonly leafHash: string;
  readonly treeSize: number;
  readonly hashes: readonly string[];
  /** The head of the tenant's log, as the log of logs holds it. */
  readonly entry: string;
  readonly logOfLogs: {
    readonly leafIndex: number;
    readonly treeSize: number;
    readonly hashes: readonly string[];
    /** With its cosignatures. */
    readonly checkpoint: string;
  };
}

export interface WitnessTrust {
  /** Origin of the tenant's log, as in its trust document. */
  readonly origin: string;
  /** Keys of the log of logs. */
  readonly logKeys: readonly NoteKey[];
  readonly witnesses: readonly WitnessKey[];
  /** How many of them must have cosigned. */
  readonly quorum: number;
}

export type WitnessVerdict =
  | { readonly ok: true; readonly by: readonly string[]; readonly seconds: number }
  | { readonly ok: false; readonly why: string };

const no = (why: string): WitnessVerdict => ({ ok: false, why });

/**
 * Whether `leaf` was in the tenant's log when witnesses saw the log of logs. `seconds`: by then at the latest, the
 * time of the quorum's last cosignature. Never throws for what is in the proof.
 */
export async function verifyWitnessed(
  leaf: Hash,
  proof: WitnessProof,
  trust: WitnessTrust,
  crypto: VerifyCrypto,
): Promise<WitnessVerdict> {
  const { sha256 } = crypto;
  try {
    const entry = parseHeadEntry(proof.entry);
    if (entry.origin !== trust.origin) return no(`the head is of ${entry.origin}, not of ${trust.origin}`);
    if (!equalBytes(fromBase64(proof.leafHash), leaf)) return no("the proof is of another receipt");
    const own = { leaf, index: proof.leafIndex, size: entry.size, proof: proof.hashes.map(fromBase64) };
    if (proof.treeSize !== entry.size || !verifyInclusion({ ...own, root: entry.root }, sha256))
      return no("the receipt is not in the tenant's log under that head");
    const { leafIndex: index, hashes, checkpoint } = proof.logOfLogs;
    const head = parseCheckpoint(checkpoint);
    const claim = { leaf: headLeaf(proof.entry, sha256), index, size: head.size, root: head.root };
    if (!verifyInclusion({ ...claim, proof: hashes.map(fromBase64) }, sha256))
      return no("the head is not in the log of logs");
    if ((await verifyNote(head.note, trust.logKeys, crypto)).status !== "signed")
      return no("the log of logs did not sign its checkpoint");
    const seen = await readCosignatures(head, trust.witnesses, crypto);
    if (seen.length < trust.quorum) return no(`${seen.length} of ${trust.quorum} witnesses cosigned`);
    const times = seen.map(({ seconds }) => seconds).sort((a, b) => a - b);
    const seconds = times[trust.quorum - 1] ?? entry.seconds;
    return { ok: true, by: seen.map(({ name }) => name), seconds };
  } catch (error) {
    if (error instanceof FormatError) return no(error.message);
    throw error;
  }
}
