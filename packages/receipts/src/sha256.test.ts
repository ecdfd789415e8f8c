import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "./bytes.ts";
import { sha256 } from "./sha256.ts";

// NIST FIPS 180-4 examples and the SHAVS short messages.
const vectors: readonly (readonly [message: Uint8Array, digest: string])[] = [
  [utf8(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  [utf8("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    utf8("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
  [
    utf8(
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
    ),
    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
  ],
  [utf8("a".repeat(1_000_000)), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"],
  [Uint8Array.of(0xd3), "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"],
  [Uint8Array.of(0x11, 0xaf), "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"],
];

describe("sha256 in TypeScript", () => {
  it("gives the published NIST digests", () => {
    for (const [message, digest] of vectors) expect(toHex(sha256(message))).toBe(digest);
  });

  it("agrees with OpenSSL for every length around the block size and for views into larger buffers", () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 31) % 256);
    for (let length = 0; length <= 260; length++) {
      const view = bytes.subarray(7, 7 + length);
      expect(toHex(sha256(view))).toBe(createHash("sha256").update(view).digest("hex"));
    }
  });

  it("agrees with OpenSSL on arbitrary bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        expect(toHex(sha256(bytes))).toBe(createHash("sha256").update(bytes).digest("hex"));
      }),
    );
  });
});
