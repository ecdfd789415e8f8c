export type { ApprovalSettings, Fatigue, Workflow, WorkflowContent, WorkflowStage } from "./domain.ts";
export { createWorkflows, type Followed, type SettingsChange, type Workflows } from "./service.ts";
