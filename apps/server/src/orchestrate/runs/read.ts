import { type JournalEntry, readJournal } from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import { OarsError } from "#platform/kernel";
import type { RunsDeps } from "./deps.ts";
import { type StepView, toSteps } from "./steps.ts";
import { findRun, listRuns, type RunFilter, type StoredRun } from "./store.ts";

export type RunView = Omit<StoredRun, "lastSeq">;
export type RunWithSteps = RunView & { readonly steps: readonly StepView[] };

export const toView = ({ lastSeq: _lastSeq, ...run }: StoredRun): RunView => run;

export async function readRun(
  deps: Pick<RunsDeps, "db">,
  tenantId: string,
  id: string,
  afterSeq = 0,
): Promise<{ run: StoredRun; journal: JournalEntry[] }> {
  return deps.db.read(tenantId, async (db) => {
    // the run first: an end that is seen has its whole journal behind it
    const run = await findRun(db, tenantId, id);
    if (!run) throw new OarsError("RUN_NOT_FOUND");
    return { run, journal: await readJournal(db, tenantId, id, Math.max(0, afterSeq)) };
  });
}

export async function showRun(deps: RunsDeps, caller: Caller, id: string): Promise<RunWithSteps> {
  requirePermission(caller, "runs:read");
  const { run, journal } = await readRun(deps, caller.tenantId, id);
  const flow = await deps.flows.compiled(caller.tenantId, run.flowHash);
  return { ...toView(run), steps: toSteps(flow, journal, run.status) };
}

export async function pageOfRuns(deps: RunsDeps, caller: Caller, filter: RunFilter): Promise<RunView[]> {
  requirePermission(caller, "runs:read");
  return (await deps.db.read(caller.tenantId, (db) => listRuns(db, caller.tenantId, filter))).map(toView);
}
