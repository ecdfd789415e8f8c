/** Orders on whole runs: end, hold back, let go on. */
import { addRunEnd, endAborted, endOf, pauseRun, resumeRun, writeEntries } from "#orchestrate/engine";
import type { Caller } from "#platform/access";
import type { Ordered } from "./commands.ts";
import { decideAbort, decidePause, decideResume } from "./decisions.ts";
import type { RunsDeps } from "./deps.ts";
import { carryOut, failureOf } from "./order.ts";
import type { RunView } from "./read.ts";

/** The run ends here; its sub-runs end through the outbox. The order itself is the entry at the end's number. */
export async function abortRun(deps: RunsDeps, caller: Caller, id: string, by: Ordered): Promise<RunView> {
  const message = `Aborted by ${caller.principalName}: ${by.reason}`;
  return carryOut(deps, caller, id, { command: "abort", ...by }, async (acting) => {
    const { tx, run, requester, into, operator } = acting;
    decideAbort({ run });
    const end = { step: "", event: "aborted", operator } as const;
    const lastSeq = (await writeEntries(tx, run, [...failureOf(run), end])) - 1;
    const error = { code: "RUN_ABORTED", message };
    await endAborted(tx, run, lastSeq, error);
    if (run.signed) await addRunEnd(deps.receipts, into, run, { status: "aborted", error }, requester, tx);
    await deps.actions.cancelOf(tx, run.tenantId, id, requester);
    into.merge(await endOf(deps, tx, run.tenantId, id, run.principalId));
    tx.onCommit(() => deps.onAborted(run.flowName));
    return { to: "aborted" };
  });
}

/** Takes it from its owner; what is being sent comes to its end, and nothing begins. */
export const pauseRunBy = (deps: RunsDeps, caller: Caller, id: string, by: Ordered): Promise<RunView> =>
  carryOut(deps, caller, id, { command: "pause", ...by }, async ({ tx, run, operator }) => {
    decidePause({ run });
    await pauseRun(tx, run, await writeEntries(tx, run, [{ step: "", event: "paused", operator }]));
    return { to: "waiting" };
  });

export const resumeRunBy = (deps: RunsDeps, caller: Caller, id: string, by: Ordered): Promise<RunView> =>
  carryOut(deps, caller, id, { command: "resume", ...by }, async ({ tx, run, operator }) => {
    decideResume({ run });
    await resumeRun(tx, run, await writeEntries(tx, run, [{ step: "", event: "resumed", operator }]));
    return { to: "queued" };
  });
