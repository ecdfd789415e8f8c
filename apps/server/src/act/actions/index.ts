export { type Asked, openAsked } from "./asked.ts";
export {
  type ActionError,
  type ActionEvent,
  type ActionState,
  actionStates,
  actionTransitions,
  isSettled,
} from "./domain.ts";
export { countLiveActions, eraseActionsOf } from "./erasure.ts";
export type { Commit, Executable, Performed, Proposed } from "./execution.ts";
export {
  type AskedRow,
  createActionHistory,
  type Difference,
  listAsked,
  listDifferences,
} from "./history.ts";
export { type Proposal, requestFor, resolveProposal } from "./proposal.ts";
export { type ActionRetirement, retireActions } from "./retention.ts";
export {
  type Actions,
  type ActionsDeps,
  type ActionView,
  createActions,
  type Submission,
} from "./service.ts";
export { type ActionFilter, findAskedAction } from "./store.ts";
