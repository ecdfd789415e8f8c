export { type Asked, type AskedOnce, openAsked } from "./asked.ts";
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
export type { ActionFilter, ActionList } from "./listing-store.ts";
export { type Proposal, requestFor, resolveProposal } from "./proposal.ts";
export { type ActionRetirement, retireActions } from "./retention.ts";
export { sealedActionAsked, sealedActionInputs, sealedActionOutputs } from "./sealed.ts";
export {
  type ActionDetail,
  type Actions,
  type ActionsDeps,
  type ApprovalProgress,
  createActions,
} from "./service.ts";
export { findAskedAction } from "./store.ts";
export type { Submission } from "./submit.ts";
export type { TimelineEntry, TimelineEvent } from "./timeline.ts";
export { type ActionSummary, type ActionView, etagOf } from "./views.ts";
