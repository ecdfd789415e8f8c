export type { RunEvent } from "./events.ts";
export {
  createRuns,
  type RunStart,
  type Runs,
  type RunsDeps,
  type RunView,
  type RunWithSteps,
  type TriggeredStart,
} from "./service.ts";
export type { StepView } from "./steps.ts";
export type { RunFilter } from "./store.ts";
