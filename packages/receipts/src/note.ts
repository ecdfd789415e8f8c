/**
 * C2SP signed notes with Ed25519 keys (signature type 0x01), and their verifier keys (vkeys). Lines of
 * unknown keys and other signature types are kept but never count.
 */
import { concatBytes, fromBase64, toBase64, toHex, utf8 } from "./bytes.ts";
import type { Sha256, VerifyCrypto } from "./crypto.ts";
import { FormatError } from "./format-error.ts";

const ed25519 = 1;
/** C2SP asks for at least 16; more lines than this are refused before any of them is looked at. */
const mostSignatures = 64;
const dash = "\u2014 ";

export interface NoteKey {
  readonly name: string;
  /** Eight hexadecimal digits. */
  readonly id: string;
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array;
}

export interface NoteSignature {
  readonly name: string;
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface Note {
  /** Ends with its newline; exactly what is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export const isKeyName = (name: string): boolean =>
  name !== "" && !/[\s+]/u.test(name) && name.isWellFormed();

const keyIdBytes = (name: string, publicKey: Uint8Array, sha256: Sha256): Uint8Array =>
  sha256(concatBytes(utf8(`${name}\n`), Uint8Array.of(ed25519), publicKey)).subarray(0, 4);

/** The key of a name: key ID = SHA-256(name, newline, 0x01, key)[:4]. */
export function noteKey(name: string, publicKey: Uint8Array, sha256: Sha256): NoteKey {
  if (!isKeyName(name)) throw new FormatError("a key name has no spaces and no plus sign");
  if (publicKey.length !== 32) throw new FormatError("an Ed25519 public key has 32 bytes");
  return { name, id: toHex(keyIdBytes(name, publicKey, sha256)), publicKey };
}

/** `<name>+<id>+<base64(0x01, key)>`. */
export const formatVkey = (key: NoteKey): string =>
  `${key.name}+${key.id}+${toBase64(concatBytes(Uint8Array.of(ed25519), key.publicKey))}`;

/** Reads a vkey; its id must follow from name and key. Throws FormatError. */
export function parseVkey(text: string, sha256: Sha256): NoteKey {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) throw new FormatError("not a vkey");
  const bytes = fromBase64(encoded);
  if (bytes.length !== 33 || bytes[0] !== ed25519) throw new FormatError("the vkey is not an Ed25519 key");
  const key = noteKey(name, bytes.subarray(1), sha256);
  if (key.id !== id) throw new FormatError("the vkey's id does not belong to its key");
  return key;
}

/** Splits a note at its last blank line; hostile input. Throws FormatError. */
export function parseNote(note: string): Note {
  const split = note.lastIndexOf("\n\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a note holds no control characters but newlines
  if (!note.isWellFormed() || /[\u0000-\u0009\u000b-\u001f]/.test(note))
    throw new FormatError("a note is well-formed text without control characters");
  if (split < 0 || !note.endsWith("\n") || split + 2 === note.length)
    throw new FormatError("a note is text, a blank line and signature lines");
  const lines = note.slice(split + 2, -1).split("\n");
  if (lines.length > mostSignatures) throw new FormatError(`a note has at most ${mostSignatures} signatures`);
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  const [name = "", encoded = "", ...more] = line.slice(dash.length).split(" ");
  if (!line.startsWith(dash) || more.length > 0 || !isKeyName(name))
    throw new FormatError("a signature line is a dash, a key name and base64");
  const bytes = fromBase64(encoded);
  if (bytes.length < 5) throw new FormatError("a signature has a key id and at least one byte");
  return { name, id: toHex(bytes.subarray(0, 4)), bytes: bytes.subarray(4) };
}

/** One signature line, newline included. `signature` is the raw Ed25519 signature of the note text. */
export const formatSignature = (key: NoteKey, signature: Uint8Array): string =>
  `${dash}${key.name} ${toBase64(
    concatBytes(
      Uint8Array.from(key.id.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
      signature,
    ),
  )}\n`;

export type NoteVerdict =
  | { readonly status: "signed"; readonly by: readonly NoteKey[]; readonly ignored: number }
  | { readonly status: "forged"; readonly by: NoteKey }
  | { readonly status: "unknown"; readonly ignored: number };

/** Which of the known keys signed. One bad signature under a known name and id makes the note forged. */
export async function verifyNote(
  note: Note,
  keys: readonly NoteKey[],
  crypto: VerifyCrypto,
): Promise<NoteVerdict> {
  const by: NoteKey[] = [];
  let ignored = 0;
  const message = utf8(note.text);
  for (const signature of note.signatures) {
    const key = keys.find((known) => known.name === signature.name && known.id === signature.id);
    if (!key) ignored += 1;
    else if (!(await crypto.verifyEd25519(key.publicKey, message, signature.bytes)))
      return { status: "forged", by: key };
    else by.push(key);
  }
  return by.length > 0 ? { status: "signed", by, ignored } : { status: "unknown", ignored };
}
