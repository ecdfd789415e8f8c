/** Evidence packs as people ask for them, see them, take them away and have them checked. */
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { type PackReport, verifyPack } from "@oars/receipts";
import { createNodeCrypto, openZip } from "@oars/receipts/node";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { formatId, newId, OarsError } from "#platform/kernel";
import type { Receipts } from "#sign/receipts";
import type { Pack, PackKind } from "./domain.ts";
import { findSubjectSpan } from "./log-reader.ts";
import type { Mappings } from "./mappings.ts";
import {
  findPack,
  insertPack,
  listPacks,
  markDelivered,
  type NewPack,
  type PackFilter,
  readChunk,
} from "./pack-store.ts";
import { chunkSize } from "./pack-worker.ts";

export interface PackRequest {
  readonly frameworks: readonly string[];
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  readonly runId?: string | undefined;
  readonly actionId?: string | undefined;
  readonly mode?: "full" | "sample" | undefined;
  readonly perControl?: number | undefined;
  readonly overall?: number | undefined;
  readonly seed?: string | undefined;
}

export interface Packs {
  /** Needs `evidence:export`. Throws EVIDENCE_FRAMEWORK_UNKNOWN, EVIDENCE_SUBJECT_EMPTY. */
  create(caller: Caller, request: PackRequest): Promise<Pack>;
  /** Newest first; one more than `limit` where there is more. Needs `evidence:read`. */
  list(
    caller: Caller,
    filter: PackFilter,
    page: { limit: number; before: string | undefined },
  ): Promise<Pack[]>;
  /** Needs `evidence:read`. Throws EVIDENCE_NOT_FOUND. */
  find(caller: Caller, id: string): Promise<Pack>;
  /** The archive as a stream, a chunk in memory at a time. Needs `evidence:export`. Throws EVIDENCE_NOT_FOUND, EVIDENCE_NOT_READY, EVIDENCE_FAILED. */
  download(caller: Caller, id: string): Promise<{ readonly pack: Pack; readonly body: Readable }>;
  /** Checks a pack that is kept here, as a stranger would. Needs `evidence:read`. Throws like `download`. */
  verifyStored(caller: Caller, id: string): Promise<PackReport>;
  /** Checks an archive, hostile, against the tenant's keys. Needs `evidence:read`. Throws EVIDENCE_UNREADABLE. */
  verifyBytes(caller: Caller, bytes: Uint8Array): Promise<PackReport>;
}

export interface PacksDeps {
  readonly db: Database;
  readonly outbox: Pick<Outbox, "emit">;
  readonly receipts: Pick<Receipts, "add" | "trust">;
  readonly mappings: Mappings;
}

export const packRequested = "evidence.requested";

export function createPacks(deps: PacksDeps): Packs {
  const { db } = deps;
  const find = async (caller: Caller, id: string): Promise<Pack> => {
    const [pack] = await db.read(caller.tenantId, (tx) => findPack(tx, caller.tenantId, id));
    if (!pack) throw new OarsError("EVIDENCE_NOT_FOUND");
    return pack;
  };
  const findReady = async (caller: Caller, id: string): Promise<Pack & { readonly bytes: number }> => {
    const pack = await find(caller, id);
    if (pack.state === "failed") throw new OarsError("EVIDENCE_FAILED", { reason: pack.error ?? "" });
    if (pack.state !== "ready" || pack.bytes === null)
      throw new OarsError("EVIDENCE_NOT_READY", { state: pack.state, seconds: 2 });
    return { ...pack, bytes: pack.bytes };
  };
  const verify = async (caller: Caller, bytes: ByteSource): Promise<PackReport> => {
    const zip = await openZip(bytes).catch((cause: unknown) => {
      throw new OarsError(
        "EVIDENCE_UNREADABLE",
        { reason: cause instanceof Error ? cause.message : "" },
        { cause },
      );
    });
    return verifyPack(zip, [await deps.receipts.trust(caller.tenantId)], createNodeCrypto());
  };
  return {
    create: (caller, request) => create(deps, caller, request),
    list: async (caller, filter, page) => {
      requirePermission(caller, "evidence:read");
      return db.read(caller.tenantId, (tx) =>
        listPacks(tx, caller.tenantId, filter, { ...page, limit: page.limit + 1 }),
      );
    },
    find: async (caller, id) => {
      requirePermission(caller, "evidence:read");
      return find(caller, id);
    },
    download: async (caller, id) => {
      requirePermission(caller, "evidence:export");
      const pack = await findReady(caller, id);
      await db.tx(caller.tenantId, (tx) => markDelivered(tx, caller.tenantId, id));
      return { pack, body: Readable.from(chunksOf(db, pack), { objectMode: false }) };
    },
    verifyStored: async (caller, id) => {
      requirePermission(caller, "evidence:read");
      const pack = await findReady(caller, id);
      return verify(caller, { size: pack.bytes, readAt: storedReader(db, pack) });
    },
    verifyBytes: async (caller, bytes) => {
      requirePermission(caller, "evidence:read");
      const readAt = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
      return verify(caller, { size: bytes.length, readAt });
    },
  };
}

type ByteSource = Parameters<typeof openZip>[0];

async function create(deps: PacksDeps, caller: Caller, request: PackRequest): Promise<Pack> {
  requirePermission(caller, "evidence:export");
  const { tenantId } = caller;
  const isIncident = request.runId !== undefined || request.actionId !== undefined;
  await deps.mappings.inForce(tenantId, request.frameworks);
  const span = isIncident ? await spanOf(deps.db, tenantId, request) : { from: request.from, to: request.to };
  if (!span.from || !span.to) throw new TypeError("a pack needs a window"); // the door asks for one
  const row: NewPack = {
    ...settingsOf(request, isIncident ? "incident" : "on_demand"),
    id: newId(),
    frameworks: [...new Set(request.frameworks)].sort(),
    from: span.from,
    to: span.to,
    runId: request.runId ?? null,
    actionId: request.actionId ?? null,
    requestedBy: caller.principalId,
  };
  await deps.db.tx(tenantId, async (tx) => {
    await insertPack(tx, tenantId, row);
    const set = new WriteSet();
    await deps.receipts.add(
      set,
      {
        tenantId,
        type: "export.created",
        principal: { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId },
        operation: { command: "evidence.request", to: formatId("evidence", row.id) },
      },
      tx,
    );
    deps.outbox.emit(set, { tenantId, topic: packRequested, payload: { packId: row.id } });
    await applyWrites(tx, set);
  });
  const [pack] = await deps.db.read(tenantId, (tx) => findPack(tx, tenantId, row.id));
  if (!pack) throw new Error("a pack that was just asked for is not there");
  return pack;
}

export const settingsOf = (
  request: Pick<PackRequest, "mode" | "perControl" | "overall" | "seed">,
  kind: PackKind,
) => ({
  kind,
  mode: request.mode ?? ("full" as const),
  seed: request.seed ?? randomBytes(16).toString("hex"),
  perControl: kind === "incident" ? 0 : (request.perControl ?? 5),
  overall: kind === "incident" ? 0 : (request.overall ?? 25),
});

/** From the first receipt of a run or action to now. Throws EVIDENCE_SUBJECT_EMPTY. */
async function spanOf(
  db: Database,
  tenantId: string,
  request: PackRequest,
): Promise<{ from: Date; to: Date }> {
  const span = await db.read(tenantId, (tx) =>
    findSubjectSpan(tx, tenantId, { runId: request.runId ?? null, actionId: request.actionId ?? null }),
  );
  if (!span) throw new OarsError("EVIDENCE_SUBJECT_EMPTY");
  return span;
}

async function* chunksOf(db: Database, pack: Pack): AsyncGenerator<Uint8Array> {
  for (let seq = 0; seq * chunkSize < (pack.bytes ?? 0); seq++) yield await chunkOf(db, pack, seq);
}

async function chunkOf(db: Database, pack: Pack, seq: number): Promise<Uint8Array> {
  const [chunk] = await db.read(pack.tenantId, (tx) => readChunk(tx, pack, seq));
  if (!chunk) throw new Error(`chunk ${seq} of evidence pack ${pack.id} is missing`);
  return chunk.body;
}

/** Random access to what is kept, with the last chunk in memory: readers go from one file to the next. */
function storedReader(db: Database, pack: Pack): (offset: number, length: number) => Promise<Uint8Array> {
  let last: { readonly seq: number; readonly body: Uint8Array } | undefined;
  return async (offset, length) => {
    const parts: Uint8Array[] = [];
    const end = Math.min(offset + length, pack.bytes ?? 0);
    for (let at = offset; at < end; ) {
      const seq = Math.floor(at / chunkSize);
      if (last?.seq !== seq) last = { seq, body: await chunkOf(db, pack, seq) };
      const part = last.body.subarray(at - seq * chunkSize, Math.min(end - seq * chunkSize, chunkSize));
      parts.push(part);
      at += part.length;
    }
    return Buffer.concat(parts);
  };
}
