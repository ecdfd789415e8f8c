import { abortRun } from "#orchestrate/engine";
import { type Caller, requirePermission } from "#platform/access";
import { OarsError } from "#platform/kernel";
import {
  type AnswerOptions,
  Answers,
  answerStart,
  answerTriggered,
  type TriggeredAnswer,
} from "./answer.ts";
import type { RunsDeps } from "./deps.ts";
import type { RunEvent } from "./events.ts";
import { pageOfRuns, type RunView, type RunWithSteps, readRun, showRun, toView } from "./read.ts";
import { type RunStart, startRun, startTriggered, type TriggeredStart } from "./start.ts";
import { findRun, type RunFilter } from "./store.ts";
import { listEvents, streamEvents } from "./stream.ts";

export interface Runs {
  /** Durable once it answers. Errors: FLOW_NOT_FOUND, RUN_PARAMS_INVALID with all problems, IDEMPOTENCY_CONFLICT. */
  start(caller: Caller, start: RunStart): Promise<RunView>;
  /** The same, answered with the run as it has ended, or as it stands when its end does not come in time. */
  answer(caller: Caller, start: RunStart, options: AnswerOptions): Promise<RunView>;
  startTriggered(start: TriggeredStart): Promise<{ runId: string; duplicate: boolean }>;
  answerTriggered(start: TriggeredStart, options: AnswerOptions): Promise<TriggeredAnswer>;
  /** How many starts wait for their run's end. */
  answering(): number;
  /** Whoever waits for an end is told that it did not come, for this process stops. */
  stopAnswering(): void;
  find(caller: Caller, id: string): Promise<RunWithSteps>;
  list(caller: Caller, filter: RunFilter): Promise<RunView[]>;
  /** Errors: RUN_NOT_FOUND, RUN_ENDED. */
  abort(caller: Caller, id: string, reason: string): Promise<RunView>;
  /** Events after `afterSeq` (-1 for all), then live ones until the run has ended. */
  events(caller: Caller, id: string, afterSeq: number, signal?: AbortSignal): AsyncIterable<RunEvent>;
  eventList(caller: Caller, id: string, afterSeq: number): Promise<RunEvent[]>;
}

export function createRuns(deps: RunsDeps): Runs {
  const answers = new Answers({ ...deps, most: deps.maxAnswers });
  const answering = { ...deps, answers };
  return {
    start: (caller, start) => startRun(deps, caller, start),
    answer: (caller, start, options) => answerStart(answering, caller, start, options),
    startTriggered: (start) => startTriggered(deps, start),
    answerTriggered: (start, options) => answerTriggered(answering, start, options),
    answering: () => answers.size,
    stopAnswering: () => answers.close(),
    find: (caller, id) => showRun(deps, caller, id),
    list: (caller, filter) => pageOfRuns(deps, caller, filter),
    abort: (caller, id, reason) => abort(deps, caller, id, reason),
    events: (caller, id, afterSeq, signal) => streamEvents(deps, caller, id, afterSeq, signal),
    eventList: (caller, id, afterSeq) => listEvents(deps, caller, id, afterSeq),
  };
}

async function abort(deps: RunsDeps, caller: Caller, id: string, reason: string): Promise<RunView> {
  requirePermission(caller, "runs:operate");
  const { tenantId } = caller;
  const found = await deps.db.read(tenantId, (db) => findRun(db, tenantId, id));
  if (!found) throw new OarsError("RUN_NOT_FOUND");
  const requester = await deps.whoIs(tenantId, found.startedBy);
  await deps.db.tx(tenantId, async (tx) => {
    const message = `Aborted by ${caller.principalName}: ${reason}`;
    const aborted = await abortRun(tx, tenantId, id, { code: "RUN_ABORTED", message });
    if (!aborted) {
      const run = await findRun(tx, tenantId, id);
      throw run ? new OarsError("RUN_ENDED", { state: run.status }) : new OarsError("RUN_NOT_FOUND");
    }
    await deps.actions.cancelOf(tx, tenantId, id, requester);
    tx.onCommit(() => deps.engine.surrender(id));
  });
  return toView((await readRun(deps, tenantId, id)).run);
}
