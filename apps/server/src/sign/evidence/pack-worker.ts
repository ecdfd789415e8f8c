/**
 * Makes packs in the background, one at a time in this process. A pack that a process took and did not finish is taken by
 * another one once its lease is over; each turn writes chunks of its own, so two that overlap cannot mix.
 */
import { createHash } from "node:crypto";
import type { PackControl } from "@oars/receipts";
import { applyWrites, type Database, WriteSet } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { type Clock, formatId, isOarsError } from "#platform/kernel";
import { findHead, type Log } from "#sign/log";
import type { Receipts, Signers } from "#sign/receipts";
import { unmapped } from "./coverage.ts";
import type { ControlMapping, Pack } from "./domain.ts";
import type { Mappings } from "./mappings.ts";
import { type Built, buildPack } from "./pack-build.ts";
import { claimPack, findDelivered, finishPack, giveUpPack, insertChunk, releasePack } from "./pack-store.ts";
import { createZipWriter } from "./zip-writer.ts";

/** Bytes of a chunk; the last one may have fewer. */
export const chunkSize = 512 * 1024;

export interface PackWorkerDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Pick<Log, "sequenceNow">;
  readonly receipts: Pick<Receipts, "trust" | "add">;
  readonly signers: Signers;
  readonly events: Pick<SecurityEvents, "record">;
  readonly mappings: Mappings;
  /** Public URL of this server. */
  readonly origin: string;
  readonly onError: (error: unknown, what: string) => void;
}

export interface PackWorker {
  /** Makes what waits, if this process is not at it already. */
  wake(): void;
  /** Resolves when nothing waits any more. */
  idle(): Promise<void>;
  /** Hands back what is under way. */
  stop(): Promise<void>;
}

class Lost extends Error {}
class Stopping extends Error {}

export function createPackWorker(deps: PackWorkerDeps): PackWorker {
  let running: Promise<void> | undefined;
  let again = false;
  let stopping = false;

  const drain = async (): Promise<void> => {
    for (let pack = await next(); pack; pack = await next()) await make(deps, pack, () => stopping);
  };
  const next = (): Promise<Pack | undefined> => (stopping ? Promise.resolve(undefined) : claimPack(deps.db));
  const wake = (): void => {
    if (stopping) return;
    again = true;
    running ??= (async () => {
      while (again && !stopping) {
        again = false;
        await drain();
      }
    })()
      .catch((error) => deps.onError(error, "evidence packs"))
      .finally(() => {
        running = undefined;
      });
  };
  return {
    wake,
    idle: async () => {
      while (running !== undefined) await running;
    },
    stop: async () => {
      stopping = true;
      await running;
    },
  };
}

async function make(deps: PackWorkerDeps, pack: Pack, isStopping: () => boolean): Promise<void> {
  try {
    await makeOnce(deps, pack, isStopping);
  } catch (error) {
    if (error instanceof Lost) return;
    if (error instanceof Stopping) return void (await releasePack(deps.db, pack));
    const final = isOarsError(error) && error.retry === "never";
    if (!final) deps.onError(error, `evidence pack ${formatId("evidence", pack.id)}`);
    const told = isOarsError(error)
      ? `${error.code}: ${error.message}`
      : "The server failed to make the pack.";
    await giveUpPack(deps.db, pack, told, final);
  }
}

async function makeOnce(deps: PackWorkerDeps, pack: Pack, isStopping: () => boolean): Promise<void> {
  const { db } = deps;
  const { tenantId } = pack;
  await deps.log.sequenceNow(tenantId);
  const head = await db.read(tenantId, (tx) => findHead(tx, tenantId));
  if (!head) throw new Error("the log has no head, although the request for the pack is in it");
  const mappings = await deps.mappings.inForce(tenantId, pack.frameworks);
  const [previous] = await db.read(tenantId, (tx) => findDelivered(tx, tenantId));
  const at = { done: 0, total: null as number | null }; // told by the builder as it goes on
  const store = createChunkStore(async (seq, body) => {
    if (isStopping()) throw new Stopping();
    if (!(await db.tx(tenantId, (tx) => insertChunk(tx, pack, seq, body, at)))) throw new Lost();
  });
  const zip = createZipWriter(store.write);
  const built = await buildPack(db, zip, {
    pack,
    head,
    previous: previous && previous.treeSize <= head.size ? previous : undefined,
    controls: mappings.map(toControl),
    unmapped: pack.frameworks.flatMap((name) => unmapped(name, mappings)),
    signers: await deps.signers.get(tenantId),
    trust: await deps.receipts.trust(tenantId),
    trustUrl: `${deps.origin.replace(/\/+$/, "")}/v1/trust/tenants/${formatId("tenant", tenantId)}/keys`,
    now: deps.clock.now(),
    onProgress: (done, total) => {
      at.done = done;
      at.total = total;
    },
  });
  await store.end();
  await finish(deps, pack, built, {
    bytes: zip.bytes(),
    sha256: store.sha256(),
    checkpoint: head.note,
    treeSize: head.size,
  });
}

/** The pack is there with the receipt and the event that tell of it. */
async function finish(
  deps: PackWorkerDeps,
  pack: Pack,
  built: Built,
  file: { bytes: number; sha256: string; checkpoint: string; treeSize: number },
): Promise<void> {
  const { tenantId } = pack;
  const id = formatId("evidence", pack.id);
  await deps.db.tx(tenantId, async (tx) => {
    if (!(await finishPack(tx, pack, { ...file, ...built }))) throw new Lost();
    const set = new WriteSet();
    await deps.receipts.add(
      set,
      {
        tenantId,
        type: "export.created",
        operation: { command: "evidence.export", to: id },
        disclose: { pack: id, sha256: file.sha256, frameworks: pack.frameworks },
      },
      tx,
    );
    await applyWrites(tx, set);
    await deps.events.record(tx, {
      tenantId,
      type: "evidence.exported",
      target: { kind: "evidence", id },
      details: { kind: pack.kind, frameworks: [...pack.frameworks], sha256: file.sha256 },
    });
  });
}

const toControl = (m: ControlMapping): PackControl => ({
  framework: m.framework,
  controlId: m.controlId,
  title: m.title,
  description: m.description,
  version: m.version,
  receiptFilters: m.receiptFilters,
  requiredNodeTypes: m.requiredNodeTypes,
  freshnessDays: m.freshnessDays,
  threshold: m.threshold,
});

/** Gathers bytes to chunks of one size. */
function createChunkStore(keep: (seq: number, body: Uint8Array) => Promise<void>) {
  const digest = createHash("sha256");
  const buffer = Buffer.alloc(chunkSize);
  let filled = 0;
  let seq = 0;
  const flush = async (): Promise<void> => {
    await keep(seq++, Buffer.from(buffer.subarray(0, filled)));
    filled = 0;
  };
  return {
    write: async (bytes: Uint8Array): Promise<void> => {
      digest.update(bytes);
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + chunkSize - filled);
        buffer.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === chunkSize) await flush();
      }
    },
    end: async (): Promise<void> => {
      if (filled > 0) await flush();
    },
    sha256: (): string => digest.digest("hex"),
  };
}
