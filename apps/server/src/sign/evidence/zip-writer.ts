/**
 * Writes a zip archive piece by piece (APPNOTE 6.3.3, deflate, no zip64). Each file is in memory while it is written,
 * the archive never is. Same files, same bytes: entries carry no time of day.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { crc32, deflateRaw } from "node:zlib";
import type { PackFile } from "@oars/receipts";
import { OarsError } from "#platform/kernel";

export interface ZipWriter {
  /** Appends a file. Throws EVIDENCE_PACK_TOO_LARGE beyond 4 GiB or 65,000 files. */
  add(path: string, content: Uint8Array): Promise<PackFile>;
  /** Appends the directory; nothing may follow. */
  end(): Promise<void>;
  readonly bytes: () => number;
}

const deflate = promisify(deflateRaw);
const mostBytes = 2 ** 32 - 1;
const mostFiles = 65_000;
/** 1 January 1980, the first day of the format. */
const day = 0x21;

export function createZipWriter(write: (bytes: Uint8Array) => Promise<void>): ZipWriter {
  const directory: Buffer[] = [];
  let at = 0;
  const put = async (bytes: Uint8Array): Promise<void> => {
    at += bytes.length;
    if (at > mostBytes || directory.length > mostFiles) throw new OarsError("EVIDENCE_PACK_TOO_LARGE");
    await write(bytes);
  };
  return {
    bytes: () => at,
    add: async (path, content) => {
      const packed = await deflate(content, { level: 6 });
      const offset = at;
      const head = headerOf(Buffer.from(path), crc32(content), packed.length, content.length);
      await put(Buffer.concat([head.local, packed]));
      directory.push(head.central(offset));
      return { path, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
    },
    end: async () => {
      const all = Buffer.concat(directory);
      const tail = Buffer.alloc(22);
      tail.writeUInt32LE(0x06054b50, 0);
      tail.writeUInt16LE(directory.length, 8);
      tail.writeUInt16LE(directory.length, 10);
      tail.writeUInt32LE(all.length, 12);
      tail.writeUInt32LE(at, 16);
      await put(Buffer.concat([all, tail]));
    },
  };
}

function headerOf(name: Buffer, crc: number, packed: number, size: number) {
  const shared = Buffer.alloc(26);
  shared.writeUInt16LE(20, 0); // version 2.0
  shared.writeUInt16LE(0x0800, 2); // names are UTF-8
  shared.writeUInt16LE(8, 4); // deflate
  shared.writeUInt16LE(day, 8);
  shared.writeUInt32LE(crc, 10);
  shared.writeUInt32LE(packed, 14);
  shared.writeUInt32LE(size, 18);
  shared.writeUInt16LE(name.length, 22);
  const mark = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  return {
    local: Buffer.concat([mark(0x04034b50), shared, name]),
    central: (offset: number): Buffer => {
      const rest = Buffer.alloc(14); // comment, disk, attributes, offset
      rest.writeUInt32LE(offset, 10);
      return Buffer.concat([mark(0x02014b50), Buffer.from([20, 0]), shared, rest, name]);
    },
  };
}
