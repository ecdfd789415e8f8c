import { isEnded } from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import type { Db } from "#platform/db";
import { OarsError } from "#platform/kernel";
import type { RunsDeps } from "./deps.ts";
import { etagOf } from "./etag.ts";
import { type GateView, listGates } from "./gate-store.ts";
import { countItems, readItemEntries, readStepEntries } from "./journal-store.ts";
import { type Progress, progressOf, type StepView, toEnd, toSteps } from "./steps.ts";
import { type ChildRow, findRun, listChildren, listRuns, type RunFilter, type StoredRun } from "./store.ts";

export type RunView = Omit<StoredRun, "lastSeq" | "epoch" | "wakeSeq"> & { readonly etag: string };
export type RunWithSteps = RunView & {
  readonly steps: readonly StepView[];
  readonly progress: Progress;
  /** Those that are open. */
  readonly gates: readonly GateView[];
  /** The newest sub-runs. */
  readonly children: readonly ChildRow[];
};
export type ItemView = Omit<ReturnType<typeof toEnd>, "operator"> & { readonly index: number };

const mostChildren = 20;
const mostGates = 100;

export function toView(run: StoredRun): RunView {
  const { lastSeq: _lastSeq, epoch: _epoch, wakeSeq: _wakeSeq, ...view } = run;
  return { ...view, etag: etagOf(run) };
}

export async function requireRun(db: Db, tenantId: string, id: string): Promise<StoredRun> {
  const run = await findRun(db, tenantId, id);
  if (!run) throw new OarsError("RUN_NOT_FOUND");
  return run;
}

/** Throws RUN_NOT_FOUND. */
export const readRun = async (
  deps: Pick<RunsDeps, "db">,
  tenantId: string,
  id: string,
): Promise<{ run: StoredRun }> => ({
  run: await deps.db.read(tenantId, (db) => requireRun(db, tenantId, id)),
});

export async function showRun(deps: RunsDeps, caller: Caller, id: string): Promise<RunWithSteps> {
  requirePermission(caller, "runs:read");
  const { tenantId } = caller;
  const read = await deps.db.read(tenantId, async (db) => {
    // the run first: an end that is seen has its whole journal behind it
    const run = await requireRun(db, tenantId, id);
    return {
      run,
      entries: await readStepEntries(db, tenantId, id),
      counts: await countItems(db, tenantId, id),
      gates: isEnded(run.status)
        ? []
        : await listGates(db, tenantId, { runId: id, status: "open", limit: mostGates }),
      children: await listChildren(db, tenantId, id, mostChildren),
    };
  });
  const { run, entries, counts, gates, children } = read;
  const flow = await deps.flows.compiled(tenantId, run.flowHash);
  const steps = toSteps(flow, entries, counts, run.status);
  return { ...toView(run), steps, progress: progressOf(steps), gates, children };
}

export async function pageOfRuns(deps: RunsDeps, caller: Caller, filter: RunFilter): Promise<RunView[]> {
  requirePermission(caller, "runs:read");
  return (await deps.db.read(caller.tenantId, (db) => listRuns(db, caller.tenantId, filter))).map(toView);
}

/** Items of a step with forEach, in their order: those that have begun. `after` is an index, -1 for all. */
export async function pageOfItems(
  deps: RunsDeps,
  caller: Caller,
  id: string,
  step: string,
  page: { readonly after: number; readonly limit: number },
): Promise<ItemView[]> {
  requirePermission(caller, "runs:read");
  const { tenantId } = caller;
  const { run, entries } = await deps.db.read(tenantId, async (db) => ({
    run: await requireRun(db, tenantId, id),
    entries: await readItemEntries(db, tenantId, id, step, { ...page, after: page.after + 1 }),
  }));
  const flow = await deps.flows.compiled(tenantId, run.flowHash);
  if (!flow.steps.some((s) => s.name === step)) throw new OarsError("STEP_NOT_FOUND", { step });
  return entries.map((entry) => {
    const { operator: _operator, ...end } = toEnd(entry, run.status);
    return { index: entry.iteration - 1, ...end };
  });
}
