import { bundleFormat, formatSdJwt, formatTlogProof, type Hash, type ReceiptBundle } from "@oars/receipts";
import type { Database } from "#platform/db";
import { type Clock, formatId, newId } from "#platform/kernel";
import type { Logger } from "#platform/telemetry";
import type { Vault } from "#platform/vault";
import {
  countPendingOf,
  createSigners,
  findReceipts,
  openDisclosures,
  type Signers,
  type StoredReceipt,
} from "#sign/receipts";
import { type LogFile, readLogFile } from "./files.ts";
import { createSequencerLoop } from "./loop.ts";
import {
  headOf,
  type InclusionProof,
  notLogged,
  type Proven,
  type ProvenGrowth,
  type ProvenLeaf,
  proveAll,
  proveGrowth,
  proveLeaf,
  proveOne,
  proveRun,
} from "./proofs.ts";
import { createSequencer, type Sequencer } from "./sequencer.ts";
import { type LogStatus, readStatus } from "./status.ts";
import { findHead } from "./store.ts";

/** Whether exported receipts show their sensitive members; they do not unless asked. */
export interface Show {
  readonly disclose?: boolean;
}

export interface Log {
  /** Starts sequencing in this process. */
  start(): void;
  /** Sequences what is waiting and stops. */
  stop(): Promise<void>;
  /** Tells that a tenant has new receipts; they are in the log within 200 ms. */
  wake(tenantId: string): void;
  /** Returns when nothing of the tenant waits any more; gives up after 2 s with RECEIPT_NOT_LOGGED. */
  sequenceNow(tenantId: string): Promise<void>;
  /** The newest signed checkpoint. Throws RECEIPT_NOT_LOGGED while the log is empty. */
  checkpoint(tenantId: string): Promise<string>;
  /** Against the newest checkpoint. Throws RECEIPT_NOT_FOUND, RECEIPT_NOT_LOGGED. */
  proof(tenantId: string, receiptId: string): Promise<InclusionProof>;
  /** The same with the signed head that the proof leads to. */
  inclusion(
    tenantId: string,
    receiptId: string,
  ): Promise<InclusionProof & { readonly root: Hash; readonly checkpoint: string }>;
  /** Receipts with proofs against one checkpoint, in the order of `receiptIds`; unknown ids are left out. Waits like `exportRun`. */
  exportSome(tenantId: string, receiptIds: readonly string[], show?: Show): Promise<ReceiptBundle["items"]>;
  /** `c2sp.org/tlog-proof@v1` text with the receipt inside. Throws like `proof`. */
  tlogProof(tenantId: string, receiptId: string, show?: Show): Promise<string>;
  /** All receipts of a run with proofs against one checkpoint. Waits up to 2 s for the log. */
  exportRun(tenantId: string, runId: string, show?: Show): Promise<ReceiptBundle>;
  /** The leaf of a receipt with its proof against the newest checkpoint. Throws like `proof`. */
  leaf(tenantId: string, receiptId: string): Promise<ProvenLeaf>;
  /**
   * Proof that the log of `to` leaves (newest when left out) extends the log of `from`. Throws LOG_SIZE_UNKNOWN,
   * and RECEIPT_NOT_LOGGED while the log is empty.
   */
  consistency(tenantId: string, from: number, to?: number): Promise<ProvenGrowth>;
  /** A file of the log; undefined when the newest checkpoint does not reach that far. Throws LOG_ENTRIES_RETIRED. */
  file(tenantId: string, path: string): Promise<LogFile | undefined>;
  status(tenantId: string): Promise<LogStatus>;
  /** The size of the log when all that was durable at the call is in it; 0 for an empty one. Throws like sequenceNow. */
  logged(tenantId: string, waitMs?: number): Promise<number>;
}

export interface LogDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "sealer" | "open">;
  /** Public URL of this server. */
  readonly origin: string;
  /** First part of log origins; the host of `origin` when absent. */
  readonly logOrigin?: string;
  /** Shared by the rooms of a process; made of the other parts when absent. */
  readonly signers?: Signers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told how many logs this process refuses to sign, whenever that changes. */
  readonly onRefused?: (logs: number) => void;
  /** Told once of each log that is refused, until it is signed again. */
  readonly onInconsistent?: (tenantId: string, reason: string) => void;
  /** Told when this process signed a new head of a tenant's log. */
  readonly onSigned?: (tenantId: string) => void;
}

const waitMs = 2000;
const longMs = 30_000;

export function createLog(deps: LogDeps): Log {
  const { db, vault } = deps;
  const signers = deps.signers ?? createSigners(deps);
  const plain = createSequencer({ db, signers });
  const sequencer: Sequencer = {
    ...plain,
    sequence: async (tenantId) => {
      const result = await plain.sequence(tenantId);
      if (result.state === "signed") deps.onSigned?.(tenantId);
      return result;
    },
  };
  const loop = createSequencerLoop({ ...deps, sequencer });

  const sequenceNow = async (tenantId: string): Promise<void> => {
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline) {
      const result = await sequencer.sequence(tenantId);
      if (result.state === "empty") return;
      if (result.state === "refused") throw new Error(`the log cannot be signed: ${result.reason}`);
      if (result.state === "busy") await new Promise((done) => setTimeout(done, 10));
    }
    throw notLogged();
  };

  const logged = async (tenantId: string, most = longMs): Promise<number> => {
    const boundary = newId();
    const deadline = performance.now() + most;
    while ((await db.read(tenantId, (tx) => countPendingOf(tx, tenantId, boundary))) > 0) {
      if (performance.now() > deadline) throw notLogged();
      const result = await sequencer.sequence(tenantId);
      if (result.state === "refused") throw new Error(`the log cannot be signed: ${result.reason}`);
      if (result.state === "busy") await new Promise((done) => setTimeout(done, 10));
    }
    return (await db.read(tenantId, (tx) => findHead(tx, tenantId)))?.size ?? 0;
  };

  const sdJwtOf = async (tenantId: string, receipt: StoredReceipt, show: Show): Promise<string> =>
    formatSdJwt(receipt.jws, show.disclose ? await openDisclosures(vault, tenantId, receipt) : []);

  const itemsOf = async (tenantId: string, proven: readonly Proven[], show: Show) => {
    const items: { receiptId: string; proof: string }[] = [];
    for (const { receipt, head, proof } of proven) {
      const extra = await sdJwtOf(tenantId, receipt, show);
      const text = formatTlogProof({ ...proof, checkpoint: head.note, extra });
      items.push({ receiptId: formatId("receipt", receipt.id), proof: text });
      if (items.length % 256 === 0) await new Promise(setImmediate); // 60 us a receipt: others get their turn
    }
    return items;
  };

  return {
    start: loop.start,
    stop: loop.stop,
    wake: loop.wake,
    sequenceNow,
    checkpoint: (tenantId) => db.read(tenantId, async (tx) => (await headOf(tx, tenantId)).note),
    proof: (tenantId, receiptId) =>
      db.read(tenantId, async (tx) => (await proveOne(tx, tenantId, receiptId)).proof),
    inclusion: (tenantId, receiptId) =>
      db.read(tenantId, async (tx) => {
        const { proof, head } = await proveOne(tx, tenantId, receiptId);
        return { ...proof, root: head.root, checkpoint: head.note };
      }),
    tlogProof: async (tenantId, receiptId, show = {}) => {
      const { receipt, head, proof } = await db.read(tenantId, (tx) => proveOne(tx, tenantId, receiptId));
      const extra = await sdJwtOf(tenantId, receipt, show);
      return formatTlogProof({ ...proof, checkpoint: head.note, extra });
    },
    exportSome: async (tenantId, receiptIds, show = {}) => {
      await sequenceNow(tenantId);
      return itemsOf(
        tenantId,
        await db.read(tenantId, async (tx) =>
          proveAll(tx, tenantId, await findReceipts(tx, tenantId, receiptIds)),
        ),
        show,
      );
    },
    exportRun: async (tenantId, runId, show = {}) => {
      await sequenceNow(tenantId);
      const proven = await db.read(tenantId, (tx) => proveRun(tx, tenantId, runId));
      return {
        format: bundleFormat,
        tenantId: formatId("tenant", tenantId),
        run: formatId("run", runId),
        exportedAt: deps.clock.now().toISOString(),
        items: await itemsOf(tenantId, proven, show),
      };
    },
    leaf: (tenantId, receiptId) => db.read(tenantId, (tx) => proveLeaf(tx, tenantId, receiptId)),
    consistency: (tenantId, from, to) => db.read(tenantId, (tx) => proveGrowth(tx, tenantId, from, to)),
    file: (tenantId, path) => db.read(tenantId, (tx) => readLogFile(tx, tenantId, path)),
    logged,
    status: async (tenantId) => {
      const { origin } = await signers.get(tenantId);
      return db.read(tenantId, (tx) => readStatus(tx, tenantId, origin));
    },
  };
}
