/** What runs without being asked for: jobs of the whole installation, and what each process does for itself. */
import type { Privacy } from "#operate/privacy";
import { dropExpired } from "#orchestrate/engine";
import { openMonths } from "#platform/db";
import type { Job } from "#platform/jobs";
import type { Telemetry } from "#platform/telemetry";
import type { Rooms } from "./compose.ts";
import { approvalJobs } from "./compose-approvals.ts";

/** Tables whose rows come and go, and tables whose rows change while work is under way. */
const queues = ["outbox", "delivery", "receipt_pending", "wait", "worker", "idempotency"];
const records = ["run", "journal", "action", "approval", "receipt", "log_leaf", "log_tile", "blob"];

export type Background = Pick<
  Rooms,
  | "db"
  | "vault"
  | "connectors"
  | "approvals"
  | "factors"
  | "idempotency"
  | "outbox"
  | "receipts"
  | "engine"
  | "actions"
  | "rehearsals"
  | "pressure"
>;

const soonIf = (more: boolean): number | null => (more ? 0 : null);

/** Work for all processes together: one of them does it, whichever claims it first. */
export const installationJobs = (
  rooms: Background & {
    readonly sweepInvariants: () => Promise<number>;
    readonly retire: () => Promise<void>;
    readonly privacy: Pick<Privacy, "applyRules" | "completeInterrupted">;
  },
): Job[] => [
  ...approvalJobs(rooms),
  {
    name: "lost-executions",
    everyMs: 60_000,
    work: async () => soonIf((await rooms.actions.sweep(100)) === 100),
  },
  {
    name: "policy-replays",
    everyMs: 60_000,
    work: async () => soonIf(await rooms.rehearsals.work()),
  },
  {
    name: "run-invariants",
    everyMs: 60_000,
    work: async () => {
      await rooms.sweepInvariants();
      return null;
    },
  },
  {
    name: "connection-credentials",
    everyMs: 30_000,
    work: () => rooms.connectors.refreshDue(),
  },
  {
    name: "idempotency-keys",
    everyMs: 600_000,
    work: async () => soonIf((await rooms.idempotency.purge(1_000)) === 1_000),
  },
  {
    name: "step-cache",
    everyMs: 600_000,
    work: async () => soonIf((await rooms.db.system.tx((tx) => dropExpired(tx, 1_000))).length === 1_000),
  },
  {
    name: "months",
    everyMs: 6 * 3_600_000,
    work: async () => {
      await openMonths(rooms.db);
      return null;
    },
  },
  {
    name: "erasures",
    everyMs: 60_000,
    work: async () => soonIf((await rooms.privacy.completeInterrupted()) === 50),
  },
  {
    name: "receipt-retention",
    everyMs: 86_400_000,
    work: async () => {
      await rooms.privacy.applyRules();
      return null;
    },
  },
  {
    name: "retention",
    everyMs: 86_400_000,
    work: async () => {
      await rooms.retire();
      return null;
    },
  },
];

/**
 * Work that each process does for itself: it compares its own memory with the database, shows its own figures, or
 * tends the database that it alone has open.
 */
export const processWork = (rooms: Background, metrics: Telemetry["metrics"]) => [
  { name: "uses of secrets", everyMs: 10_000, work: () => rooms.vault.flushUses() },
  { name: "runs without an owner", everyMs: 10_000, work: () => rooms.engine.sweep() },
  ...(rooms.db.kind === "postgres"
    ? []
    : [
        { name: "tidying of queues", everyMs: 60_000, work: () => rooms.db.tidy(queues) },
        { name: "tidying of records", everyMs: 3_600_000, work: () => rooms.db.tidy(records) },
      ]),
  {
    name: "queue figures",
    everyMs: 15_000,
    work: async () => {
      metrics.runsInHand.set(rooms.engine.inHand());
      metrics.memoryShare.set(rooms.pressure.share());
      metrics.outboxPending.set(await rooms.outbox.pending());
      metrics.logUnsequenced.set(await rooms.receipts.pending());
    },
  },
];
