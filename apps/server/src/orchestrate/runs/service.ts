import type { Caller } from "#platform/access";
import { type AnswerOptions, Answers, answerStart, answerTriggered, type TriggeredAnswer } from "./answer.ts";
import { type Bulk, type BulkResult, operateMany } from "./bulk.ts";
import { type EditOutput, editOutput, type Retry, retryRun, type Skip, skipStep } from "./commands.ts";
import { abortRun, pauseRunBy, resumeRunBy } from "./controls.ts";
import type { RunsDeps } from "./deps.ts";
import type { RunEvent } from "./events.ts";
import type { GateFilter, GateView } from "./gate-store.ts";
import { type Answer, answer, pageOfGates, showGate } from "./gates.ts";
import { type ItemView, pageOfItems, pageOfRuns, type RunView, type RunWithSteps, showRun } from "./read.ts";
import { type Replay, type Rerun, replay, rerun } from "./repeats.ts";
import type { SignalView } from "./signal-store.ts";
import { type NewSignal, pageOfSignals, sendSignal } from "./signals.ts";
import { type RunStart, startRun, startTriggered, type TriggeredStart } from "./start.ts";
import type { RunFilter } from "./store.ts";
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
  /** Items of a step with forEach that have begun, in their order; `after` is an index, -1 for all. Errors: STEP_NOT_FOUND. */
  items(
    caller: Caller,
    id: string,
    step: string,
    page: { readonly after: number; readonly limit: number },
  ): Promise<ItemView[]>;

  /**
   * Orders. Each throws RUN_NOT_FOUND, PRECONDITION_FAILED, RUN_ENDED or RUN_STATE_CONFLICT; those on steps also
   * RUN_HAS_PARENT, STEP_NOT_FOUND, STEP_STATE_CONFLICT, STEP_IN_USE, STEP_ACTION_OPEN, and skip STEP_NOT_SKIPPABLE.
   */
  retry(caller: Caller, id: string, retry: Retry): Promise<RunView>;
  skip(caller: Caller, id: string, skip: Skip): Promise<RunView>;
  editOutput(caller: Caller, id: string, edit: EditOutput): Promise<RunView>;
  abort(caller: Caller, id: string, reason: string, ifMatch?: readonly string[]): Promise<RunView>;
  pause(caller: Caller, id: string, reason: string, ifMatch?: readonly string[]): Promise<RunView>;
  resume(caller: Caller, id: string, reason: string, ifMatch?: readonly string[]): Promise<RunView>;
  /** New runs. Errors: also STEP_NOT_FOUND, FLOW_NOT_FOUND, RUN_PARAMS_INVALID, IDEMPOTENCY_CONFLICT. */
  rerun(caller: Caller, id: string, by: Rerun): Promise<RunView>;
  replay(caller: Caller, id: string, by: Replay): Promise<RunView>;
  /** One command over all runs that match; refusals are told run by run. */
  bulk(caller: Caller, bulk: Bulk): Promise<BulkResult>;

  findGate(caller: Caller, id: string): Promise<GateView>;
  listGates(caller: Caller, filter: GateFilter): Promise<GateView[]>;
  /** Errors: GATE_NOT_FOUND, GATE_CLOSED with the first decision, GATE_REQUESTER, GATE_ROLE, GATE_OPTION. */
  answerGate(caller: Caller, id: string, answer: Answer): Promise<GateView>;
  /** Errors: RUN_NOT_FOUND, SIGNAL_UNKNOWN, SIGNAL_INVALID, RUN_ENDED, SIGNAL_BACKLOG. */
  signal(caller: Caller, id: string, signal: NewSignal): Promise<SignalView>;
  listSignals(
    caller: Caller,
    id: string,
    page: { readonly before?: string | undefined; readonly limit: number },
  ): Promise<SignalView[]>;

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
    items: (caller, id, step, page) => pageOfItems(deps, caller, id, step, page),
    retry: (caller, id, by) => retryRun(deps, caller, id, by),
    skip: (caller, id, by) => skipStep(deps, caller, id, by),
    editOutput: (caller, id, by) => editOutput(deps, caller, id, by),
    abort: (caller, id, reason, ifMatch) => abortRun(deps, caller, id, { reason, ifMatch }),
    pause: (caller, id, reason, ifMatch) => pauseRunBy(deps, caller, id, { reason, ifMatch }),
    resume: (caller, id, reason, ifMatch) => resumeRunBy(deps, caller, id, { reason, ifMatch }),
    rerun: (caller, id, by) => rerun(deps, caller, id, by),
    replay: (caller, id, by) => replay(deps, caller, id, by),
    bulk: (caller, bulk) => operateMany(deps, caller, bulk),
    findGate: (caller, id) => showGate(deps, caller, id),
    listGates: (caller, filter) => pageOfGates(deps, caller, filter),
    answerGate: (caller, id, given) => answer(deps, caller, id, given),
    signal: (caller, id, signal) => sendSignal(deps, caller, id, signal),
    listSignals: (caller, id, page) => pageOfSignals(deps, caller, id, page),
    events: (caller, id, afterSeq, signal) => streamEvents(deps, caller, id, afterSeq, signal),
    eventList: (caller, id, afterSeq) => listEvents(deps, caller, id, afterSeq),
  };
}
