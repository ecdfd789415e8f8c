/** An authenticator app, written from RFC 6238 and RFC 4648 apart from the server's own code. */
import { createHmac } from "node:crypto";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

export function secretBytes(base32: string): Buffer {
  const bits = [...base32].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** The code of a step so many after the present one. */
export function codeAt(secret: Uint8Array, steps = 0): string {
  const counter = Buffer.alloc(8);
  counter.writeUInt32BE(Math.floor(Date.now() / 30_000) + steps, 4);
  const mac = createHmac("sha1", secret).update(counter).digest();
  const offset = (mac[19] as number) & 15; // 20 bytes
  const value = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return (value % 1_000_000).toString().padStart(6, "0");
}
