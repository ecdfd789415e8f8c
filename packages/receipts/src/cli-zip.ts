/**
 * Reads zip archives (APPNOTE 6.3.3 without zip64 and encryption) of which only parts need to be in memory. Hostile
 * input: sizes are bounded before anything is inflated, and names are only compared, never used as paths.
 */
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { FormatError } from "./format-error.ts";
import type { PackReader } from "./pack-verify.ts";

/** Random access to the bytes of an archive. */
export interface Bytes {
  readonly size: number;
  readAt(offset: number, length: number): Promise<Uint8Array>;
}

interface Entry {
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly at: number;
}

const inflate = promisify(inflateRaw);
const mostEntries = 65_535;
const largestEntry = 64 * 1024 * 1024;
const largestDirectory = 32 * 1024 * 1024;
const endSize = 22;

/** Throws FormatError for what is not such an archive. */
export async function openZip(bytes: Bytes): Promise<PackReader> {
  const entries = await readDirectory(bytes);
  const byName = new Map(entries);
  return {
    names: entries.map(([name]) => name),
    read: async (name) => {
      const entry = byName.get(name);
      if (!entry) throw new FormatError("it is missing");
      return readEntry(bytes, entry);
    },
  };
}

/** The same over a file; `close` it. */
export async function openZipFile(path: string): Promise<PackReader & { close(): Promise<void> }> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const readAt = async (offset: number, length: number): Promise<Uint8Array> => {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    const reader = await openZip({ size, readAt });
    return { ...reader, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function viewAt(bytes: Bytes, offset: number, length: number): Promise<Buffer> {
  if (offset < 0 || length < 0 || offset + length > bytes.size)
    throw new FormatError("the archive is cut off");
  const part = await bytes.readAt(offset, length);
  if (part.length !== length) throw new FormatError("the archive is cut off");
  return Buffer.from(part.buffer, part.byteOffset, part.length);
}

async function readDirectory(bytes: Bytes): Promise<[string, Entry][]> {
  const tail = await viewAt(bytes, Math.max(0, bytes.size - endSize), Math.min(bytes.size, endSize));
  if (tail.length < endSize || tail.readUInt32LE(0) !== 0x06054b50)
    throw new FormatError("not a zip archive of a pack");
  const count = tail.readUInt16LE(10);
  const [length, offset] = [tail.readUInt32LE(12), tail.readUInt32LE(16)];
  if (length > largestDirectory || count > mostEntries)
    throw new FormatError("the archive has too many files");
  if (offset + length + endSize !== bytes.size)
    throw new FormatError("the archive holds more than its directory says");
  const directory = await viewAt(bytes, offset, length);
  const entries: [string, Entry][] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > length || directory.readUInt32LE(at) !== 0x02014b50)
      throw new FormatError("its directory is damaged");
    const nameLength = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + 46, at + 46 + nameLength);
    entries.push([
      name,
      {
        method: directory.readUInt16LE(at + 10),
        crc: directory.readUInt32LE(at + 16),
        packed: directory.readUInt32LE(at + 20),
        size: directory.readUInt32LE(at + 24),
        at: directory.readUInt32LE(at + 42),
      },
    ]);
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  if (at !== length) throw new FormatError("its directory is damaged");
  return entries;
}

async function readEntry(bytes: Bytes, entry: Entry): Promise<Uint8Array> {
  if (entry.size > largestEntry || entry.packed > largestEntry) throw new FormatError("it is too large");
  const header = await viewAt(bytes, entry.at, 30);
  if (header.readUInt32LE(0) !== 0x04034b50) throw new FormatError("its header is damaged");
  const from = entry.at + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed = await viewAt(bytes, from, entry.packed);
  const content = await unpack(packed, entry);
  if (content.length !== entry.size || crc32(content) !== entry.crc) throw new FormatError("it is damaged");
  return content;
}

async function unpack(packed: Buffer, { method, size }: Entry): Promise<Uint8Array> {
  if (method === 0) return packed;
  if (method !== 8) throw new FormatError("it is packed in a way that is not known");
  try {
    return await inflate(packed, { maxOutputLength: Math.max(1, size) });
  } catch (cause) {
    throw new FormatError("it cannot be unpacked", { cause });
  }
}
