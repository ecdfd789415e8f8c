/** Orders on steps: run again, skip, put another output in place. */
import {
  type Bereft,
  closeStepWaits,
  countEntries,
  insertRetryWait,
  type OrderEntry,
  reopenRun,
  reopenWaits,
  requeueRun,
  type TakenRun,
  writeEntries,
} from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import { newId } from "#platform/kernel";
import { decideEdit, decideRetry, decideSkip, type Target } from "./decisions.ts";
import type { RunsDeps } from "./deps.ts";
import { type Acting, carryOut, failureOf, type Order } from "./order.ts";
import type { RunView } from "./read.ts";
import { keep, requireList, storable } from "./storable.ts";

export interface Ordered {
  readonly reason: string;
  readonly ifMatch?: readonly string[] | undefined;
}

export interface Retry extends Ordered {
  /** Absent: every step whose failure ended the run. */
  readonly step?: string | undefined;
  /** Deep-merged into the step's input for all later attempts. */
  readonly edits?: Record<string, unknown> | undefined;
  readonly delaySeconds?: number | undefined;
}

export interface Skip extends Ordered {
  readonly step?: string | undefined;
  /** What the step's dependents read; null when absent. */
  readonly output?: unknown;
}

export interface EditOutput extends Ordered {
  readonly step: string;
  readonly output: unknown;
}

export async function retryRun(deps: RunsDeps, caller: Caller, id: string, retry: Retry): Promise<RunView> {
  const { step, edits, delaySeconds = 0 } = retry;
  if (edits) storable("edits", edits);
  return carryOut(deps, caller, id, order("retry", retry), async (acting) => {
    const { tx, situation, operator } = acting;
    const { run } = situation;
    const targets = decideRetry(situation, step);
    const bereft = await reopened(acting);
    const again = { ...operator, ...(edits ? { edits } : {}) };
    const entries = targets.map((t): OrderEntry => ({ ...at(t), event: "retrying", operator: again }));
    const lastSeq = await writeEntries(tx, run, [...goingOn(acting), ...entries, ...renewed(acting, bereft)]);
    if (delaySeconds > 0)
      for (const t of targets)
        await insertRetryWait(tx, run, { ...at(t), id: newId(), seconds: delaySeconds });
    await letGoOn(deps, acting, lastSeq);
    return { to: statusAfter(run), step: onlyOf(targets), disclose: edits ? { edits } : {} };
  });
}

export async function skipStep(deps: RunsDeps, caller: Caller, id: string, skip: Skip): Promise<RunView> {
  requirePermission(caller, "runs:operate");
  const output = skip.output ?? null;
  const kept = await keep(deps, caller, id, output);
  return carryOut(deps, caller, id, order("skip", skip), async (acting) => {
    const { tx, situation, into, operator } = acting;
    const { run } = situation;
    const targets = decideSkip(situation, skip.step);
    into.merge(kept.along);
    const bereft = await reopened(acting);
    for (const { step } of targets) await letGoOf(deps, acting, step.name);
    const entries = targets.map(
      (t): OrderEntry => ({ ...at(t), event: "skipped", output: kept.text, operator }),
    );
    const others = bereft.filter((b) => !targets.some((t) => t.step.name === b.step));
    const lastSeq = await writeEntries(tx, run, [...goingOn(acting), ...entries, ...renewed(acting, others)]);
    await letGoOn(deps, acting, lastSeq);
    return { to: statusAfter(run), step: onlyOf(targets), disclose: output === null ? {} : { output } };
  });
}

/** Nothing begins by it: whoever reads the output later reads the new one. */
export async function editOutput(
  deps: RunsDeps,
  caller: Caller,
  id: string,
  edit: EditOutput,
): Promise<RunView> {
  requirePermission(caller, "runs:operate");
  const kept = await keep(deps, caller, id, edit.output);
  return carryOut(deps, caller, id, order("edit-output", edit), async ({ tx, situation, into, operator }) => {
    const { run } = situation;
    const { step, attempt } = decideEdit(situation, edit.step);
    if (step.forEach) requireList("output", edit.output);
    const at = { step: step.name, attempt: attempt + 1 };
    const entry: OrderEntry = { ...at, event: "completed", output: kept.text, operator };
    await countEntries(tx, run, await writeEntries(tx, run, [...failureOf(run), entry]));
    into.merge(kept.along);
    return { to: run.status, step: step.name, disclose: { output: edit.output } };
  });
}

const order = (command: Order["command"], { reason, ifMatch }: Ordered): Order => ({
  command,
  reason,
  ifMatch,
});
const at = ({ step, attempt }: Target) => ({ step: step.name, attempt });
const onlyOf = (targets: readonly Target[]): string | undefined =>
  targets.length === 1 ? targets[0]?.step.name : undefined;

/** Of a failed run: its failure becomes history, and it goes on. */
const goingOn = ({ situation: { run }, operator }: Acting): OrderEntry[] =>
  run.status === "failed" ? [...failureOf(run), { step: "", event: "reopened", operator }] : [];

/** Opens what the run's failure closed, and answers which other steps need another attempt for it. */
const reopened = async ({ tx, situation: { run } }: Acting): Promise<Bereft[]> =>
  run.status === "failed" ? reopenWaits(tx, run) : [];

const renewed = ({ operator }: Acting, bereft: readonly Bereft[]): OrderEntry[] =>
  bereft.map(({ step, iteration, attempt }) => ({ step, iteration, attempt, event: "retrying", operator }));

const statusAfter = (run: TakenRun) => (run.pausedAt ? "waiting" : "queued");

async function letGoOn(deps: RunsDeps, { tx, situation, into }: Acting, lastSeq: number): Promise<void> {
  const { run, flow } = situation;
  if (run.status !== "failed") {
    await requeueRun(tx, run, lastSeq);
    return;
  }
  await reopenRun(tx, run, lastSeq, flow.timeoutMs);
  const { tenantId, concurrencyKey } = run;
  if (concurrencyKey === null) return;
  // whoever hears of an end lets in who is next, which may be this run
  deps.outbox.emit(into, { tenantId, topic: "run.ended", payload: { runId: run.id, concurrencyKey } });
}

/** What the step waited for is not waited for any more: what is held is cancelled, a sub-run is ended. */
async function letGoOf(
  deps: RunsDeps,
  { tx, situation: { run }, requester, into }: Acting,
  step: string,
): Promise<void> {
  for (const { kind, key } of await closeStepWaits(tx, run, step)) {
    if (kind !== "child" || key === null) continue;
    const payload = { runId: key, principalId: run.principalId, reason: "Its step was skipped." };
    deps.outbox.emit(into, { tenantId: run.tenantId, topic: "run.abandoned", payload });
  }
  await deps.actions.cancelOf(tx, run.tenantId, run.id, requester, step);
}
