export { endOf } from "./after-end.ts";
export {
  answerGate,
  countSignals,
  type GateAnswer,
  insertSignal,
  type SignalRow,
  wakeRun,
} from "./answer-store.ts";
export type { RunEnd } from "./control-store.ts";
export { dropExpired } from "./control-store.ts";
export {
  type GateDecision,
  isEnded,
  type JournalEvent,
  mergeInto,
  type Operator,
  type RunEvent,
  type RunStatus,
  runStatuses,
  runTransitions,
  type StepError,
  type StepStatus,
} from "./domain.ts";
export { createEngine, type Engine, type EngineDeps, type NewRun } from "./engine.ts";
export { countLiveRuns, eraseRunsOf } from "./erasure.ts";
export type { Invariant, Violation } from "./invariant-store.ts";
export { createInvariantSweep, type InvariantSweepDeps } from "./invariants.ts";
export { builtInKinds, createStepKinds, type StepKind, type StepKinds } from "./kinds.ts";
export {
  closeStepWaits,
  countEntries,
  endAborted,
  type Head,
  insertRetryWait,
  lockRun,
  lookAtRun,
  type OrderEntry,
  pauseRun,
  readHeads,
  reopenRun,
  requeueRun,
  resumeRun,
  type TakenRun,
  takeRun,
  writeEntries,
} from "./operator-store.ts";
export { loadRow } from "./payloads.ts";
export { type Bereft, reopenWaits } from "./reopen-store.ts";
export { type KeptMonth, type RetiredMonth, type Retirement, retireRuns } from "./retention.ts";
export { findOldestLive } from "./retention-store.ts";
export type { Expected } from "./run-ends.ts";
export { addRunEnd, type SignedRuns } from "./run-receipts.ts";
export {
  createScheduling,
  type RunShare,
  type Scheduling,
  type ShareChange,
} from "./run-share.ts";
export { addSeed, type SeedEntry } from "./seed.ts";
export { toJsonText } from "./step-error.ts";
export {
  abortRun,
  type JournalEntry,
  readJournal,
  readWaits,
  resolveWaits,
  type WaitEntry,
} from "./store.ts";
