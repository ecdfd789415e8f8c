/** One-time codes by time, RFC 6238 over RFC 4226: HMAC-SHA-1, six digits, steps of 30 seconds. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

export const stepSeconds = 30;
const digits = 6;
/** A code counts one step before and after its own, for clocks that are not the same. */
const drift = 1;

export const newTotpSecret = (): Uint8Array => randomBytes(20);

/** The code of one step. `step` is the number of steps since 1970. */
export function totpCode(secret: Uint8Array, step: number, length: number = digits): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const at = (mac.at(-1) ?? 0) & 0xf;
  const value = mac.readUInt32BE(at) & 0x7fffffff;
  return String(value % 10 ** length).padStart(length, "0");
}

export const stepAt = (seconds: number): number => Math.floor(seconds / stepSeconds);

/** The step whose code this is, of those around now that come after `last`; undefined for none. */
export function matchingStep(
  secret: Uint8Array,
  code: string,
  now: { readonly seconds: number; readonly last: number },
): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const current = stepAt(now.seconds);
  let found: number | undefined;
  for (let step = current - drift; step <= current + drift; step++) {
    const same = timingSafeEqual(Buffer.from(totpCode(secret, step)), Buffer.from(code));
    if (same && step > now.last) found ??= step;
  }
  return found;
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648 base32 without padding: how authenticator apps take a secret by hand. */
export function toBase32(bytes: Uint8Array): string {
  let text = "";
  let value = 0;
  let bits = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(value >> bits) & 31];
    }
  }
  if (bits > 0) text += alphabet[(value << (5 - bits)) & 31];
  return text;
}

/** The address that authenticator apps read from a QR code. */
export function totpUri(secret: Uint8Array, issuer: string, account: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  const query = new URLSearchParams({
    secret: toBase32(secret),
    issuer,
    algorithm: "SHA1",
    digits: String(digits),
    period: String(stepSeconds),
  });
  return `otpauth://totp/${label}?${query}`;
}
