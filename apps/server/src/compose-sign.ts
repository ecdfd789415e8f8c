/** The rooms that sign: keys, receipts, log. */
import type { Config } from "#platform/config";
import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import type { Job, Outbox } from "#platform/jobs";
import type { Clock } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import type { Telemetry } from "#platform/telemetry";
import type { Vault } from "#platform/vault";
import type { Evidence } from "#sign/evidence";
import type { Interop } from "#sign/interop";
import { createHeads, createLog, type Log } from "#sign/log";
import {
  createReceipts,
  createSigners,
  createSigningKeys,
  createTransitKeys,
  type KeyHolder,
  type Receipts,
  type SigningKeys,
  softwareKeys,
} from "#sign/receipts";
import { createWitnessing, type Witnessing } from "#sign/witness";
import { composeEvidence, evidenceJobs } from "./compose-evidence.ts";
import { composeInterop } from "./compose-interop.ts";

export interface SignRooms {
  readonly evidence: Evidence;
  readonly interop: Interop;
  readonly receipts: Receipts;
  readonly log: Log;
  readonly logFiles: { readonly public: boolean; readonly baseUrl: string };
  readonly signingKeys: SigningKeys;
  readonly witnessing: Witnessing;
}

export interface SignDeps {
  readonly db: Database;
  readonly vault: Vault;
  readonly config: Config;
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly events: SecurityEvents;
  readonly outbox: Outbox;
  readonly telemetry: Telemetry;
}

export interface Sign extends SignRooms {
  /** Work for all processes together. */
  readonly jobs: readonly Job[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function composeSign(deps: SignDeps): Sign {
  const { db, vault, config, clock, dialer, telemetry } = deps;
  const { log, metrics } = telemetry;
  const origin = config.http.publicUrl;
  const { logOrigin } = config;
  const signers = createSigners({
    db,
    vault,
    origin,
    logOrigin,
    holders: holdersOf(deps),
    onError: (err) => log.error({ err }, "signing keys that end could not be asked for; trying again"),
  });
  const shared = { db, vault, origin, logOrigin, signers, clock };
  const receiptLog = createLog({
    ...shared,
    log,
    onRefused: (logs) => metrics.logRefused.set(logs),
    onSigned: () => witnessing.wake(),
    onInconsistent: (tenantId, reason) => {
      const told = db.tx(tenantId, (tx) =>
        deps.events.record(tx, { tenantId, type: "log.inconsistent", message: reason }),
      );
      told.catch((err: unknown) => log.error({ err }, "that a log is refused was not noted"));
    },
  });
  const witnessing: Witnessing = createWitnessing({
    db,
    dialer,
    tree: receiptLog,
    heads: createHeads({ db, signers }),
    signers,
    peers: config.witnesses,
    quorum: config.witnessQuorum,
    logs: config.witnessLogs,
    clock,
    log,
  });
  const receipts = createReceipts({
    ...shared,
    onAdded: (tenantId, type) => {
      receiptLog.wake(tenantId);
      metrics.receipts.with(type).inc();
    },
  });
  const evidence = composeEvidence({
    ...shared,
    receipts,
    log: receiptLog,
    outbox: deps.outbox,
    events: deps.events,
    onError: (err, what) => log.error({ err }, what),
  });
  const signingKeys = createSigningKeys({
    db,
    signers,
    receipts,
    logged: receiptLog.logged,
    events: deps.events,
  });
  return {
    receipts,
    evidence,
    interop: composeInterop({ receipts, log: receiptLog, signers }),
    log: receiptLog,
    logFiles: { public: config.logPublic, baseUrl: origin },
    signingKeys,
    witnessing,
    jobs: [...keyJobs(signingKeys, config.keyRotateDays), headJob(witnessing), ...evidenceJobs(evidence)],
    start: async () => {
      await signers.start();
      receiptLog.start();
    },
    stop: async () => {
      await receiptLog.stop();
      await witnessing.stop();
      await signers.stop();
    },
  };
}

/** What makes new keys comes first; keys that were made otherwise stay where they are. */
export function holdersOf({
  config,
  dialer,
}: Pick<SignDeps, "config" | "dialer">): readonly [KeyHolder, ...KeyHolder[]] {
  const { transit } = config.signer;
  if (!transit) return [softwareKeys];
  const remote = createTransitKeys({ dialer, url: transit.url, token: transit.token.reveal() });
  return config.signer.kind === "transit" ? [remote, softwareKeys] : [softwareKeys, remote];
}

/** What a process that died has left behind, and heads that are to be stated again. */
const headJob = (witnessing: Witnessing): Job => ({
  name: "log-of-logs",
  everyMs: 60_000,
  work: async () => {
    await witnessing.turn();
    return null;
  },
});

const keyJobs = (keys: SigningKeys, rotateDays: number | null): Job[] => [
  {
    name: "signing-keys",
    everyMs: 60_000,
    work: async () => {
      await keys.settle();
      return null;
    },
  },
  {
    name: "key-rotation",
    everyMs: 3_600_000,
    work: async () => {
      if (rotateDays !== null) await keys.rotateOlder(rotateDays);
      return null;
    },
  },
];
