/**
 * Large payloads beside their rows. Owns: when a payload becomes a blob, its parts and its encoding. Does not own: the
 * columns in which references stand.
 *
 * B1 see reference.ts.
 * B2 a reference that is durable has its blob: parts are written before it or in the same commit.
 * B3 what is read is what was written: length and digest are checked before the last byte is given away.
 * B4 a blob is found through the run that it was held for, under that run's tenant; it goes when the run goes.
 */
import { createHash } from "node:crypto";
import { pipeline, Readable } from "node:stream";
import { promisify } from "node:util";
import { createZstdDecompress, constants as zlib, zstdCompress } from "node:zlib";
import { type Database, WriteSet } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { type BlobReference, looksLikeReference, referenceText } from "./reference.ts";
import { type BlobOwner, copyBlob, type Encoding, findPart, insertPart } from "./store.ts";

export interface Blobs {
  /**
   * The text to keep in a jsonb column for a payload: the text itself while it is short, else a reference. The blob is
   * added to `into`; one that is larger than a commit should be is made durable first. `jsonText` is valid JSON.
   */
  hold(into: WriteSet, owner: BlobOwner, jsonText: string): Promise<string>;
  /** The JSON text behind a reference. Errors: BLOB_NOT_FOUND. */
  load(owner: BlobOwner, reference: BlobReference): Promise<string>;
  /** The same as a stream of bytes that holds one part in memory at a time. Errors: BLOB_NOT_FOUND. */
  stream(owner: BlobOwner, sha256: string): Promise<{ readonly bytes: number; readonly body: Readable }>;
  /** Rows with these references are copied to another run of the tenant, as when a run repeats another one. */
  copy(into: WriteSet, from: BlobOwner, toRunId: string, references: readonly BlobReference[]): void;
}

/** In UTF-16 units, which is what can be had without encoding each payload: at most 96 KiB of UTF-8. */
export const inlineLimit = 32 * 1024;
const partSize = 256 * 1024;
/** Of one commit, so that neighbours do not wait for a large payload. */
const commitSize = 1024 * 1024;
/** Compression must save an eighth: else reading it costs more than it saves. */
const worthwhile = 7 / 8;

const compress = promisify(zstdCompress);
const level = { params: { [zlib.ZSTD_c_compressionLevel]: 1 } };

export function createBlobs({ db }: { readonly db: Database }): Blobs {
  const parts = async function* (owner: BlobOwner, sha256: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let part = 0, count = 1; part < count; part++) {
      const found = await db.read(owner.tenantId, (tx) => findPart(tx, owner, sha256, part));
      if (!found) throw notFound(sha256);
      count = found.parts;
      yield found.body;
    }
  };
  const open = async (
    owner: BlobOwner,
    sha256: Uint8Array,
  ): Promise<{ bytes: number; body: AsyncGenerator<Uint8Array> }> => {
    const first = await db.read(owner.tenantId, (tx) => findPart(tx, owner, sha256, 0));
    if (!first) throw notFound(sha256);
    const { bytes, encoding } = first;
    return { bytes, body: checked(decoded(parts(owner, sha256), encoding), sha256, bytes) };
  };

  return {
    hold: async (into, owner, jsonText) => {
      if (jsonText.length <= inlineLimit && !looksLikeReference(jsonText)) return jsonText;
      const plain = Buffer.from(jsonText);
      const sha256 = createHash("sha256").update(plain).digest();
      const packed = await compress(plain, level);
      const isSmaller = packed.length < plain.length * worthwhile;
      const body = isSmaller ? packed : plain;
      const encoding: Encoding = isSmaller ? "zstd" : "plain";
      const key = { tenant_id: owner.tenantId, run_id: owner.runId, sha256, bytes: plain.length, encoding };
      const count = Math.ceil(body.length / partSize);
      const alone = body.length > commitSize;
      let set = alone ? new WriteSet() : into;
      for (let part = 0; part < count; part++) {
        const slice = body.subarray(part * partSize, (part + 1) * partSize);
        set.add(insertPart, { ...key, part, parts: count, body: slice });
        const full = ((part + 1) * partSize) % commitSize === 0 || part === count - 1;
        if (!alone || !full) continue;
        await db.committer.commit(set);
        set = new WriteSet();
      }
      return referenceText({ sha256: sha256.toString("hex"), bytes: plain.length });
    },
    load: async (owner, reference) => {
      const { body } = await open(owner, Buffer.from(reference.sha256, "hex"));
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    },
    stream: async (owner, sha256) => {
      const { bytes, body } = await open(owner, Buffer.from(sha256, "hex"));
      return { bytes, body: Readable.from(body, { objectMode: false }) };
    },
    copy: (into, from, toRunId, references) => {
      for (const { sha256 } of references) {
        into.add(copyBlob, {
          tenant_id: from.tenantId,
          from_run_id: from.runId,
          run_id: toRunId,
          sha256: Buffer.from(sha256, "hex"),
        });
      }
    },
  };
}

const notFound = (sha256: Uint8Array): OarsError =>
  new OarsError("BLOB_NOT_FOUND", { digest: Buffer.from(sha256).toString("hex") });

function decoded(body: AsyncGenerator<Uint8Array>, encoding: Encoding): AsyncIterable<Uint8Array> {
  if (encoding === "plain") return body;
  const decoder = createZstdDecompress();
  pipeline(Readable.from(body, { objectMode: false }), decoder, () => {}); // a failure is met where it is read
  return decoder;
}

/** [B3] The last chunk is given away once the whole is what it should be. */
async function* checked(
  body: AsyncIterable<Uint8Array>,
  sha256: Uint8Array,
  bytes: number,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let seen = 0;
  let last: Uint8Array | undefined;
  for await (const chunk of body) {
    hash.update(chunk);
    seen += chunk.length;
    if (seen > bytes) break;
    if (last) yield last;
    last = chunk;
  }
  if (seen !== bytes || !hash.digest().equals(sha256))
    throw new Error(`blob ${Buffer.from(sha256).toString("hex")} is damaged`);
  if (last) yield last;
}
