import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nonceBytes, tagBytes, toXaesKey, xaesOpen, xaesSeal } from "./xaes.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const nonce = bytes("ABCDEFGHIJKLMNOPQRSTUVWX");

describe("XAES-256-GCM", () => {
  it.each([
    [0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"],
    [0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"],
  ])("seals the specification's vector under key %i", (fill, associated, expected) => {
    const key = toXaesKey(new Uint8Array(32).fill(fill));
    const sealed = xaesSeal(key, bytes("XAES-256-GCM"), bytes(associated), nonce);
    const tag = sealed.subarray(nonceBytes, nonceBytes + tagBytes);
    const body = sealed.subarray(nonceBytes + tagBytes);
    expect(Buffer.concat([body, tag]).toString("hex")).toBe(expected);
    expect(xaesOpen(key, sealed, bytes(associated)).toString()).toBe("XAES-256-GCM");
  });

  it("opens what it sealed, and nothing in which one bit, the key or the associated data differs", () => {
    const arbitrary = fc.uint8Array({ maxLength: 200 });
    const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(arbitrary, arbitrary, key32, fc.nat(), (plain, associated, raw, where) => {
        const key = toXaesKey(raw);
        const sealed = xaesSeal(key, plain, associated);
        expect(Buffer.compare(xaesOpen(key, sealed, associated), plain)).toBe(0);
        const bent = Buffer.from(sealed);
        const bit = where % (bent.length * 8);
        bent[bit >> 3] = (bent[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => xaesOpen(key, bent, associated)).toThrow();
        expect(() => xaesOpen(key, sealed, Buffer.concat([associated, Buffer.of(0)]))).toThrow();
        const other = toXaesKey(raw.map((byte, i) => (i === where % 32 ? byte ^ 1 : byte)));
        expect(() => xaesOpen(other, sealed, associated)).toThrow();
      }),
    );
  });

  it("never seals to the same bytes twice", () => {
    const key = toXaesKey(new Uint8Array(32).fill(9));
    const all = Array.from({ length: 500 }, () => xaesSeal(key, bytes("x"), bytes("")).toString("hex"));
    expect(new Set(all).size).toBe(500);
  });

  it("refuses keys and sealed bytes of the wrong length", () => {
    const key = toXaesKey(new Uint8Array(32));
    expect(() => toXaesKey(new Uint8Array(16))).toThrow(RangeError);
    expect(() => xaesOpen(key, new Uint8Array(39), new Uint8Array())).toThrow(RangeError);
  });
});
