/**
 * Enters new heads into the log of logs and has them cosigned, soon after they are signed and at least each minute.
 * Any process may do it; the log of logs lets one in at a time.
 */
import { formatVkey, formatWitnessVkey, noteKey, type WitnessProof, witnessKey } from "@oars/receipts";
import { sha256 } from "#platform/kernel";
import { type Heads, isWitnessed, type Log, newestHead } from "#sign/log";
import { installationId, readTrustDocument, type Signers } from "#sign/receipts";
import { type CollectDeps, collectCosignatures, type WitnessPeer } from "./collect.ts";
import { addCheckpoint, type WitnessAnswer, type WitnessDeps } from "./witness.ts";

export interface InstanceTrust {
  /** Origin of the log of logs. */
  readonly origin: string;
  /** Its keys. */
  readonly vkeys: readonly string[];
  /** Whose cosignatures this installation asks for, and how many of them it calls enough. */
  readonly witnesses: readonly { readonly name: string; readonly vkey: string; readonly url: string }[];
  readonly quorum: number;
  /** As which it cosigns logs of others; null where it witnesses none. */
  readonly witness: { readonly vkey: string; readonly logs: readonly string[] } | null;
}

export interface Witnessing {
  /** There is a new head of a tenant's log: it is entered and cosigned within seconds. */
  wake(): void;
  /** Enters what is there now and has it cosigned. Never throws for a witness. */
  turn(): Promise<void>;
  /** Waits for the turn under way and begins no further one. */
  stop(): Promise<void>;
  prove(tenantId: string, receiptId: string, quorum: number): Promise<WitnessProof>;
  trust(): Promise<InstanceTrust>;
  /** As a witness of others: the answer to `POST add-checkpoint`. */
  addCheckpoint(text: string): Promise<WitnessAnswer>;
  /**
   * Waits until everything that is durable now is under a signed head (`sync`, 5 s at most) or cosigned by the quorum
   * (`witnessed`, 15 s at most). Says what was reached; never rejects.
   */
  settle(tenantId: string, mode: "sync" | "witnessed"): Promise<"async" | "sync" | "witnessed">;
  readonly quorum: number;
}

export interface WitnessingDeps
  extends Omit<CollectDeps, "tree" | "peers">,
    Pick<WitnessDeps, "logs" | "clock"> {
  readonly tree: Pick<Log, "checkpoint" | "consistency" | "logged">;
  readonly heads: Heads;
  readonly signers: Signers;
  readonly peers: readonly WitnessPeer[];
  readonly quorum: number;
  /** How long new heads gather; 1,000 ms when absent. */
  readonly gatherMs?: number;
}

const syncMs = 5_000;
const witnessedMs = 15_000;
const pauseMs = 250;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, Math.max(0, ms)));

/** Waits for something that goes on without us after so long. */
async function within(work: Promise<void>, ms: number): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, ms));
  await Promise.race([work, over]);
  clearTimeout(timer);
}

export function createWitnessing(deps: WitnessingDeps): Witnessing {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  /** As when the process that signed the newest head died, or a witness was down. */
  const lacksCosignatures = async (): Promise<boolean> => {
    if (deps.peers.length === 0) return false;
    const head = await newestHead(deps.db);
    return head !== undefined && head.cosignatures < deps.peers.length;
  };

  const pass = async (): Promise<void> => {
    let state: string;
    do {
      const result = await deps.heads.sequence();
      ({ state } = result);
      if (result.state === "refused") {
        deps.log.error(
          { reason: result.reason },
          "the log of logs is refused: its tree differs from what was signed",
        );
      }
      if (result.state === "signed" && !result.more) state = "done";
    } while (state === "signed");
    if (state === "done" || (state === "empty" && (await lacksCosignatures())))
      await collectCosignatures(deps);
  };
  /** One pass at a time, and one more where somebody asked meanwhile. */
  const turn = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (running !== undefined) {
      again = true;
      return running;
    }
    running = (async () => {
      do {
        again = false;
        await pass().catch((err: unknown) =>
          deps.log.error({ err }, "heads could not be entered; trying again"),
        );
      } while (again);
    })().finally(() => {
      running = undefined;
    });
    return running;
  };

  const settle: Witnessing["settle"] = async (tenantId, mode) => {
    const deadline = performance.now() + witnessedMs;
    let size: number;
    try {
      size = await deps.tree.logged(tenantId, syncMs);
    } catch (err) {
      deps.log.warn({ err }, "receipts that were waited for are not in the log");
      return "async";
    }
    if (mode === "sync" || deps.quorum === 0) return "sync";
    while (performance.now() < deadline) {
      await within(turn(), deadline - performance.now());
      if (await isWitnessed(deps.db, tenantId, size, deps.quorum).catch(() => false)) return "witnessed";
      await pause(pauseMs);
    }
    return "sync";
  };

  return {
    settle,
    quorum: deps.quorum,
    wake: () => {
      if (!stopped) timer ??= setTimeout(() => void turn(), deps.gatherMs ?? 1_000);
    },
    turn,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      again = false;
      await running;
    },
    prove: (tenantId, receiptId, quorum) => deps.heads.prove(tenantId, receiptId, quorum),
    addCheckpoint: (text) => addCheckpoint(deps, text),
    trust: async () => {
      const { origin } = await deps.signers.get(installationId);
      const { items } = await readTrustDocument(deps.db, installationId);
      const { name, signer } =
        deps.logs.length > 0 ? await deps.signers.witness() : { name: "", signer: null };
      return {
        origin,
        vkeys: items.flatMap(({ use, jwk }) =>
          use === "log" ? [formatVkey(noteKey(origin, Buffer.from(jwk.x, "base64url"), sha256))] : [],
        ),
        witnesses: deps.peers.map(({ url, key }) => ({ name: key.name, vkey: formatWitnessVkey(key), url })),
        quorum: deps.quorum,
        witness: signer && {
          vkey: formatWitnessVkey(witnessKey(name, signer.publicKey, sha256)),
          logs: [...new Set(deps.logs.map((key) => key.name))],
        },
      };
    },
  };
}
