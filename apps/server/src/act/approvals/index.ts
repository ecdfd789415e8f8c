export {
  type Approval,
  type ApprovalEvent,
  type ApprovalState,
  approvalStates,
  approvalTransitions,
  missing,
  type Requirement,
  type Subject,
  tally,
  type Vote,
} from "./domain.ts";
export { deleteApprovals } from "./retention.ts";
export {
  type ApprovalFilter,
  type ApprovalRequest,
  type Approvals,
  type ApprovalsDeps,
  createApprovals,
} from "./service.ts";
