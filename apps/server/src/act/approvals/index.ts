export type { Delegation } from "./delegation-store.ts";
export type { NewDelegation } from "./delegations.ts";
export {
  type Approval,
  type ApprovalEvent,
  type ApprovalState,
  approvalStates,
  approvalTransitions,
  needed,
  type Subject,
  tally,
  type Vote,
} from "./domain.ts";
export { type ApprovalLinks, createApprovalLinks } from "./links.ts";
export type { ApprovalsDeps } from "./parts.ts";
export type { ArgumentsOf, Detail } from "./reading.ts";
export type { ApprovalFilter, Comment, Earlier } from "./reading-store.ts";
export type { ApprovalRequest, Requested } from "./request.ts";
export { deleteApprovals } from "./retention.ts";
export { type Approvals, type Confirmable, createApprovals } from "./service.ts";
export { dueAt, progressOf, type Requirement, requirementsOf, type Stage } from "./stages.ts";
export { type Escalation, shownToken } from "./timers.ts";
export type { Cast } from "./voting.ts";
