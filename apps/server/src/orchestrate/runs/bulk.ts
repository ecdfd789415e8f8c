/** One command over many runs: each in a transaction of its own, the oldest first. */
import { lookAtRun, type RunStatus, readHeads } from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import { isOarsError, OarsError } from "#platform/kernel";
import { retryRun, skipStep } from "./commands.ts";
import { abortRun, pauseRunBy, resumeRunBy } from "./controls.ts";
import {
  decideAbort,
  decidePause,
  decideResume,
  decideRetry,
  decideSkip,
  type Situation,
} from "./decisions.ts";
import type { RunsDeps } from "./deps.ts";
import { listMatching, listOpenActions, type RunMatch } from "./store.ts";

export type BulkCommand = "retry" | "skip" | "abort" | "pause" | "resume";

export interface Bulk {
  readonly command: BulkCommand;
  readonly match: RunMatch;
  readonly reason: string;
  /** Of retry and skip. */
  readonly step?: string | undefined;
  readonly dryRun: boolean;
  readonly limit: number;
  readonly after?: string | undefined;
}

export interface BulkItem {
  readonly runId: string;
  /** `ok`, or the code of the refusal. */
  readonly outcome: string;
  /** Null for a run that went away since it was listed. */
  readonly status: RunStatus | null;
  readonly message?: string;
}

export interface BulkResult {
  readonly command: BulkCommand;
  readonly dryRun: boolean;
  readonly matched: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly items: readonly BulkItem[];
  /** Where the next call goes on; null when this one saw the last run. */
  readonly next: string | null;
}

const shownOfDryRun = 100;
/** Transactions at once: enough to keep the database busy, few enough to leave it to others. */
const atOnce = 4;

export async function operateMany(deps: RunsDeps, caller: Caller, bulk: Bulk): Promise<BulkResult> {
  requirePermission(caller, "runs:operate");
  const { tenantId } = caller;
  const page = { after: bulk.after, limit: bulk.limit + 1 };
  const found = await deps.db.read(tenantId, (db) => listMatching(db, tenantId, bulk.match, page));
  const ids = found.slice(0, bulk.limit).map((r) => r.id);
  const items = await inOrder(ids, (id) => one(deps, caller, bulk, id));
  const outcomes: Record<string, number> = {};
  for (const { outcome } of items) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  return {
    command: bulk.command,
    dryRun: bulk.dryRun,
    matched: ids.length,
    outcomes,
    items: bulk.dryRun ? items.slice(0, shownOfDryRun) : items,
    next: found.length > bulk.limit ? (ids.at(-1) ?? null) : null,
  };
}

/** Begins with the first, a few at once, and answers in the order of the ids. After a fault none begins any more. */
async function inOrder<T>(ids: readonly string[], work: (id: string) => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    try {
      for (let i = next++; i < ids.length; i = next++) done[i] = await work(ids[i] as string); // below the length
    } catch (error) {
      next = ids.length;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return done;
}

async function one(deps: RunsDeps, caller: Caller, bulk: Bulk, id: string): Promise<BulkItem> {
  try {
    const status = bulk.dryRun
      ? await tryOut(deps, caller, bulk, id)
      : await carryOutOn(deps, caller, bulk, id);
    return { runId: id, outcome: "ok", status };
  } catch (error) {
    if (!isOarsError(error) || error.status >= 500) throw error;
    return { runId: id, outcome: error.code, status: statusOf(error), message: error.message };
  }
}

/** Refusals say how the run stands, but for one that says that there is none. */
const statusOf = (error: OarsError): RunStatus | null =>
  (error.current?.status as RunStatus | undefined) ?? null; // put there by the decisions

async function carryOutOn(deps: RunsDeps, caller: Caller, bulk: Bulk, id: string): Promise<RunStatus> {
  const { reason, step } = bulk;
  switch (bulk.command) {
    case "retry":
      return (await retryRun(deps, caller, id, { reason, step })).status;
    case "skip":
      return (await skipStep(deps, caller, id, { reason, step })).status;
    case "abort":
      return (await abortRun(deps, caller, id, { reason })).status;
    case "pause":
      return (await pauseRunBy(deps, caller, id, { reason })).status;
    case "resume":
      return (await resumeRunBy(deps, caller, id, { reason })).status;
  }
}

/** What the command would come to now; nothing is locked and nothing is written. */
async function tryOut(deps: RunsDeps, caller: Caller, bulk: Bulk, id: string): Promise<RunStatus> {
  const { tenantId } = caller;
  const seen = await deps.db.read(tenantId, async (db) => ({
    run: await lookAtRun(db, tenantId, id),
    heads: await readHeads(db, tenantId, id),
    openActions: await listOpenActions(db, tenantId, id),
  }));
  const { run } = seen;
  if (!run) throw new OarsError("RUN_NOT_FOUND");
  const situation: Situation = { ...seen, run, flow: await deps.flows.compiled(tenantId, run.flowHash) };
  decide(bulk, situation);
  return run.status;
}

function decide({ command, step }: Bulk, situation: Situation): void {
  switch (command) {
    case "retry":
      decideRetry(situation, step);
      return;
    case "skip":
      decideSkip(situation, step);
      return;
    case "abort":
      decideAbort(situation);
      return;
    case "pause":
      decidePause(situation);
      return;
    case "resume":
      decideResume(situation);
      return;
  }
}
