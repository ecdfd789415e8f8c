export {
  isEnded,
  type JournalEvent,
  type RunEvent,
  type RunStatus,
  runStatuses,
  runTransitions,
  type StepError,
  type StepStatus,
} from "./domain.ts";
export { createEngine, type Engine, type EngineDeps, type NewRun } from "./engine.ts";
export { type FaultPoint, faultPoints } from "./faults.ts";
export { builtInKinds, createStepKinds, type StepKind, type StepKinds } from "./kinds.ts";
export { abortRun, type JournalEntry, readJournal, readWaits, type WaitEntry } from "./store.ts";
