/**
 * C2SP tlog-cosignature, Ed25519 (`cosignature/v1`, signature type 0x04): a witness states that it saw a checkpoint,
 * at a time, and that it extends every one it saw of the same log before.
 */
import { concatBytes, fromBase64, toBase64, toHex, utf8 } from "./bytes.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import type { Sha256, VerifyCrypto } from "./crypto.ts";
import { FormatError } from "./format-error.ts";
import { formatSignature, isKeyName, type NoteKey } from "./note.ts";

const cosignatureType = 4;

/** A witness; its id differs from that of a log key with the same name and bytes. */
export type WitnessKey = NoteKey;

export function witnessKey(name: string, publicKey: Uint8Array, sha256: Sha256): WitnessKey {
  if (!isKeyName(name)) throw new FormatError("a key name has no spaces and no plus sign");
  if (publicKey.length !== 32) throw new FormatError("an Ed25519 public key has 32 bytes");
  const hash = sha256(concatBytes(utf8(`${name}\n`), Uint8Array.of(cosignatureType), publicKey));
  return { name, id: toHex(hash.subarray(0, 4)), publicKey };
}

/** `<name>+<id>+<base64(0x04, key)>`. */
export const formatWitnessVkey = (key: WitnessKey): string =>
  `${key.name}+${key.id}+${toBase64(concatBytes(Uint8Array.of(cosignatureType), key.publicKey))}`;

/** Reads the vkey of a witness. Throws FormatError. */
export function parseWitnessVkey(text: string, sha256: Sha256): WitnessKey {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) throw new FormatError("not a vkey");
  const bytes = fromBase64(encoded);
  if (bytes.length !== 33 || bytes[0] !== cosignatureType)
    throw new FormatError("the vkey is not that of a witness (cosignature/v1)");
  const key = witnessKey(name, bytes.subarray(1), sha256);
  if (key.id !== id) throw new FormatError("the vkey's id does not belong to its key");
  return key;
}

/** What a witness signs: a header, the time in Unix seconds, and the note text with its last newline. */
export const cosignedMessage = (seconds: number, text: string): Uint8Array =>
  utf8(`cosignature/v1\ntime ${seconds}\n${text}`);

/** The signature line, newline included; `signature` is over `cosignedMessage`. */
export function formatCosignature(key: WitnessKey, seconds: number, signature: Uint8Array): string {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(seconds));
  return formatSignature(key, concatBytes(time, signature));
}

export interface Cosignature {
  readonly name: string;
  /** Unix seconds, by the clock of the witness. */
  readonly seconds: number;
}

/** Who of the witnesses cosigned, each once with its newest valid line. Lines of others never count. */
export async function readCosignatures(
  { note }: Pick<Checkpoint, "note">,
  witnesses: readonly WitnessKey[],
  crypto: VerifyCrypto,
): Promise<Cosignature[]> {
  const found = new Map<string, Cosignature>();
  for (const { name, id, bytes } of note.signatures) {
    const key = witnesses.find((known) => known.name === name && known.id === id);
    if (!key || bytes.length !== 72) continue;
    const seconds = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
    const message = cosignedMessage(seconds, note.text);
    if (!(await crypto.verifyEd25519(key.publicKey, message, bytes.subarray(8)))) continue;
    if ((found.get(id)?.seconds ?? -1) < seconds) found.set(id, { name, seconds });
  }
  return [...found.values()];
}

export interface AddCheckpoint {
  readonly old: number;
  readonly hashes: readonly Uint8Array[];
  /** The signed note as it came. */
  readonly checkpoint: string;
}

/** The body of `POST add-checkpoint` (C2SP tlog-witness). */
export const formatAddCheckpoint = ({ old, hashes, checkpoint }: AddCheckpoint): string =>
  `old ${old}\n${hashes.map((hash) => `${toBase64(hash)}\n`).join("")}\n${checkpoint}`;

/** Reads it; hostile input. Throws FormatError. */
export function parseAddCheckpoint(text: string): AddCheckpoint & { readonly head: Checkpoint } {
  const split = text.indexOf("\n\n");
  if (split < 0) throw new FormatError("the request is a size, hashes, a blank line and a checkpoint");
  const [first = "", ...lines] = text.slice(0, split).split("\n");
  const size = /^old (0|[1-9]\d{0,15})$/.exec(first)?.[1];
  if (size === undefined || !Number.isSafeInteger(Number(size)))
    throw new FormatError("the first line is not `old` and a size");
  if (lines.length > 63) throw new FormatError("a consistency proof has at most 63 hashes");
  const hashes = lines.map(fromBase64);
  if (hashes.some(({ length }) => length !== 32)) throw new FormatError("a hash has not 32 bytes");
  const checkpoint = text.slice(split + 2);
  return { old: Number(size), hashes, checkpoint, head: parseCheckpoint(checkpoint) };
}
