/** Archives on the command line and in the server: over files, unpacked by zlib. */
import { open } from "node:fs/promises";
import { crc32, inflateRaw } from "node:zlib";
import { FormatError } from "./format-error.ts";
import type { PackReader } from "./pack-verify.ts";
import { type Bytes, readZip, type Unpack } from "./zip.ts";

export type { Bytes } from "./zip.ts";

const nodeUnpack: Unpack = {
  crc32,
  inflate: (packed, most) =>
    new Promise((resolve, reject) => {
      const options = { maxOutputLength: Math.max(1, most), info: true };
      inflateRaw(packed, options, (error, result) => {
        if (error) return reject(error);
        const { buffer, engine } = result as unknown as Inflated; // what the option `info` asks for
        if (engine.bytesWritten !== packed.length) return reject(new FormatError("it goes on after its end"));
        resolve(buffer);
      });
    }),
};

interface Inflated {
  readonly buffer: Uint8Array;
  /** `bytesWritten`: how much of the input was taken. */
  readonly engine: { readonly bytesWritten: number };
}

/** Throws FormatError for what is not such an archive. */
export const openZip = (bytes: Bytes): Promise<PackReader> => readZip(bytes, nodeUnpack);

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
