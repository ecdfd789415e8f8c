import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openZip } from "./cli-zip.ts";
import { FormatError } from "./format-error.ts";
import { type Bytes, readZip, webUnpack } from "./zip.ts";

const readers = [
  { by: "zlib", read: openZip },
  { by: "the primitives of browsers", read: (bytes: Bytes) => readZip(bytes, webUnpack) },
];

/** One file `a`, packed, with `claims` in place of what is true of it. */
function zipOf(
  content: Buffer,
  claims: { size?: number; method?: number; crc?: number; after?: string } = {},
): Buffer {
  const packed = Buffer.concat([deflateRawSync(content), Buffer.from(claims.after ?? "")]);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(claims.method ?? 8, 4);
  fields.writeUInt32LE(claims.crc ?? 0, 10);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(claims.size ?? content.length, 18);
  fields.writeUInt16LE(1, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), fields, Buffer.from("a"), packed]);
  const central = Buffer.concat([
    Buffer.from("PK\x01\x02\x14\x00", "latin1"),
    fields,
    Buffer.alloc(14),
    Buffer.from("a"),
  ]);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}

const crcOfX = 0x8cdc1683; // of "x", by the polynomial of the format

describe.each(readers)("an archive read by $by", ({ read }) => {
  const open = (bytes: Uint8Array) =>
    read({ size: bytes.length, readAt: async (at, length) => bytes.subarray(at, at + length) });

  it("gives back what was put in", async () => {
    const zip = await open(zipOf(Buffer.from("x"), { crc: crcOfX }));
    expect(zip.names).toEqual(["a"]);
    expect(Buffer.from(await zip.read("a")).toString()).toBe("x");
  });

  it.each([
    ["says a file is smaller than it unpacks to", { size: 10 }, /unpacked/],
    ["says a file is larger than any may be", { size: 2 ** 31 }, /too large/],
    ["goes on after the end of a file", { after: "more" }, /unpacked/],
    ["packs in a way that is not known", { method: 12 }, /not known/],
    ["has another checksum", { crc: 7 }, /damaged/],
  ])("that %s is refused", async (_, claims, message) => {
    const zip = await open(zipOf(Buffer.alloc(1_000_000), claims));
    await expect(zip.read("a")).rejects.toThrow(message);
  });

  it("of any bytes is read or refused with a FormatError, and nothing else", async () => {
    const good = zipOf(Buffer.from("x"), { crc: crcOfX });
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), async (at, byte, keep) => {
        const bad = Buffer.from(good.subarray(0, keep === at ? good.length : Math.max(keep, at + 1)));
        bad.writeUInt8(byte, at);
        try {
          const zip = await open(bad);
          await zip.read("a");
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});
