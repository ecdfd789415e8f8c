/**
 * Reads zip archives (APPNOTE 6.3.3 without zip64 and encryption) of which only parts need to be in memory. Hostile
 * input: sizes are bounded before anything is inflated, and names are only compared, never used as paths.
 */
import { concatBytes } from "./bytes.ts";
import { FormatError } from "./format-error.ts";
import type { PackReader } from "./pack-verify.ts";

/** Random access to the bytes of an archive. */
export interface Bytes {
  readonly size: number;
  readAt(offset: number, length: number): Promise<Uint8Array>;
}

/** The primitives of unpacking. */
export interface Unpack {
  /** CRC-32 as zip uses it, unsigned. */
  crc32(data: Uint8Array): number;
  /** Raw DEFLATE (RFC 1951). Rejects for what is no such stream, goes on after its end, or gives more than `most` bytes. */
  inflate(packed: Uint8Array, most: number): Promise<Uint8Array>;
}

interface Entry {
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly at: number;
}

const mostEntries = 65_535;
const largestEntry = 64 * 1024 * 1024;
const largestDirectory = 32 * 1024 * 1024;
const endSize = 22;
const names = new TextDecoder();

/** Throws FormatError for what is not such an archive. */
export async function readZip(bytes: Bytes, unpack: Unpack): Promise<PackReader> {
  const entries = await readDirectory(bytes);
  const byName = new Map(entries);
  return {
    names: entries.map(([name]) => name),
    read: async (name) => {
      const entry = byName.get(name);
      if (!entry) throw new FormatError("it is missing");
      return readEntry(bytes, entry, unpack);
    },
  };
}

const viewOf = (part: Uint8Array): DataView => new DataView(part.buffer, part.byteOffset, part.byteLength);

async function partAt(bytes: Bytes, offset: number, length: number): Promise<Uint8Array> {
  if (offset < 0 || length < 0 || offset + length > bytes.size)
    throw new FormatError("the archive is cut off");
  const part = await bytes.readAt(offset, length);
  if (part.length !== length) throw new FormatError("the archive is cut off");
  return part;
}

async function readDirectory(bytes: Bytes): Promise<[string, Entry][]> {
  const tail = viewOf(await partAt(bytes, Math.max(0, bytes.size - endSize), Math.min(bytes.size, endSize)));
  if (tail.byteLength < endSize || tail.getUint32(0, true) !== 0x06054b50)
    throw new FormatError("not a zip archive of a pack");
  const count = tail.getUint16(10, true);
  const [length, offset] = [tail.getUint32(12, true), tail.getUint32(16, true)];
  if (length > largestDirectory || count > mostEntries)
    throw new FormatError("the archive has too many files");
  if (offset + length + endSize !== bytes.size)
    throw new FormatError("the archive holds more than its directory says");
  const part = await partAt(bytes, offset, length);
  const directory = viewOf(part);
  const entries: [string, Entry][] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > length || directory.getUint32(at, true) !== 0x02014b50)
      throw new FormatError("its directory is damaged");
    const nameLength = directory.getUint16(at + 28, true);
    const name = names.decode(part.subarray(at + 46, at + 46 + nameLength));
    entries.push([
      name,
      {
        method: directory.getUint16(at + 10, true),
        crc: directory.getUint32(at + 16, true),
        packed: directory.getUint32(at + 20, true),
        size: directory.getUint32(at + 24, true),
        at: directory.getUint32(at + 42, true),
      },
    ]);
    at += 46 + nameLength + directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
  }
  if (at !== length) throw new FormatError("its directory is damaged");
  return entries;
}

async function readEntry(bytes: Bytes, entry: Entry, unpack: Unpack): Promise<Uint8Array> {
  if (entry.size > largestEntry || entry.packed > largestEntry) throw new FormatError("it is too large");
  const header = viewOf(await partAt(bytes, entry.at, 30));
  if (header.getUint32(0, true) !== 0x04034b50) throw new FormatError("its header is damaged");
  const from = entry.at + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  const content = await contentOf(await partAt(bytes, from, entry.packed), entry, unpack);
  if (content.length !== entry.size || unpack.crc32(content) !== entry.crc)
    throw new FormatError("it is damaged");
  return content;
}

async function contentOf(
  packed: Uint8Array,
  { method, size }: Entry,
  { inflate }: Unpack,
): Promise<Uint8Array> {
  if (method === 0) return packed;
  if (method !== 8) throw new FormatError("it is packed in a way that is not known");
  try {
    return await inflate(packed, size);
  } catch (cause) {
    throw new FormatError("it cannot be unpacked", { cause });
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** For browsers: DecompressionStream, and the checksum in TypeScript. */
export const webUnpack: Unpack = {
  crc32: (data) => {
    let crc = 0xffffffff;
    for (const byte of data) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 255] ?? 0);
    return (crc ^ 0xffffffff) >>> 0;
  },
  inflate: async (packed, most) => {
    const stream = new Blob([Uint8Array.from(packed)])
      .stream()
      .pipeThrough(new DecompressionStream("deflate-raw"));
    const reader = stream.getReader();
    const parts: Uint8Array[] = [];
    let length = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length += next.value.length;
      if (length > most) {
        await reader.cancel();
        throw new FormatError("it is larger than it says");
      }
      parts.push(next.value);
    }
    return concatBytes(...parts);
  },
};
