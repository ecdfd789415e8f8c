import type { Actions } from "#act/actions";
import type { Flows } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import type { Blobs } from "#platform/blobs";
import type { Committer, Database } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import type { Fault } from "#platform/kernel";
import type { JournalEvent } from "./domain.ts";
import type { StepKinds } from "./kinds.ts";
import type { RunReceipts } from "./run-receipts.ts";

/** What the execution of a run uses of the rest of the server. */
export interface ExecutionDeps {
  readonly db: Database;
  readonly committer: Committer;
  readonly blobs: Pick<Blobs, "hold" | "load">;
  readonly kinds: StepKinds;
  readonly flows: Pick<Flows, "compiled" | "resolve">;
  readonly actions: Pick<Actions, "propose" | "perform" | "settle" | "record" | "handOn" | "retry" | "load">;
  readonly outbox: Pick<Outbox, "emit">;
  readonly receipts: RunReceipts;
  readonly callerFor: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly fault: Fault;
  readonly onStep: (kind: string, status: JournalEvent, ms: number) => void;
  /** A timer of this run is due in so many milliseconds. */
  readonly onTimer: (ms: number) => void;
  /** New journal entries are durable. */
  readonly onJournal: (runId: string) => void;
  /** A sub-run is queued; one with a key may first have to be admitted. */
  readonly onQueued: (tenantId: string, concurrencyKey: string | null) => void;
  readonly onError: (error: unknown, what: string) => void;
}
