export type { AnswerOptions, TriggeredAnswer } from "./answer.ts";
export type { RunsDeps } from "./deps.ts";
export type { RunEvent } from "./events.ts";
export type { RunView, RunWithSteps } from "./read.ts";
export { createRuns, type Runs } from "./service.ts";
export type { RunStart, TriggeredStart } from "./start.ts";
export type { StepView } from "./steps.ts";
export type { RunFilter } from "./store.ts";
