export type { SignedDecision } from "./disclosure.ts";
export type { Example, Mover, Replay, ReplayReport } from "./domain.ts";
export {
  createRehearsals,
  type Imagined,
  type Overrides,
  type Rehearsals,
  type RehearsalsDeps,
  type Simulated,
} from "./service.ts";
