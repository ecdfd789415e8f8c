/**
 * Bytes and their text forms. Decoders are strict: one text per value, so a changed character never
 * decodes to the same bytes. They throw FormatError.
 */
import { FormatError } from "./format-error.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const urlSafe = `${standard.slice(0, 62)}-_`;

const tableOf = (alphabet: string): Int8Array => {
  const table = new Int8Array(128).fill(-1);
  for (let i = 0; i < 64; i++) table[alphabet.charCodeAt(i)] = i;
  return table;
};
const standardTable = tableOf(standard);
const urlTable = tableOf(urlSafe);

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** The text of well-formed UTF-8; throws FormatError for anything else. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new FormatError("bytes are not UTF-8", { cause });
  }
}

function encode(bytes: Uint8Array, alphabet: string, pad: boolean): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const a = bytes[i] ?? 0;
    const b = bytes[i + 1] ?? 0;
    const c = bytes[i + 2] ?? 0;
    text += alphabet.charAt(a >> 2) + alphabet.charAt(((a & 3) << 4) | (b >> 4));
    if (left > 1) text += alphabet.charAt(((b & 15) << 2) | (c >> 6));
    else if (pad) text += "=";
    if (left > 2) text += alphabet.charAt(c & 63);
    else if (pad) text += "=";
  }
  return text;
}

function decode(text: string, table: Int8Array): Uint8Array {
  const rest = text.length % 4;
  if (rest === 1) throw new FormatError("base64 has an impossible length");
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let buffer = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? (table[code] ?? -1) : -1;
    if (value < 0) throw new FormatError("base64 has a character outside its alphabet");
    buffer = ((buffer << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (buffer >> bits) & 255;
    }
  }
  if ((buffer & ((1 << bits) - 1)) !== 0) throw new FormatError("base64 has stray bits at its end");
  return bytes;
}

/** base64url without padding (RFC 4648 §5, RFC 7515). */
export const toBase64Url = (bytes: Uint8Array): string => encode(bytes, urlSafe, false);
export const fromBase64Url = (text: string): Uint8Array => decode(text, urlTable);

/** Standard base64 with padding (RFC 4648 §4), as signed notes and proofs use it. */
export const toBase64 = (bytes: Uint8Array): string => encode(bytes, standard, true);

export function fromBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw new FormatError("base64 is not padded");
  const bare = text.endsWith("==") ? text.slice(0, -2) : text.endsWith("=") ? text.slice(0, -1) : text;
  return decode(bare, standardTable);
}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function fromHex(text: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new FormatError("not lower-case hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Equality of public values; not constant in time. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
