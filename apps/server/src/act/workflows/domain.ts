/** Who must approve, in which order. Pure: what a definition may say, and what is wrong with one. */
import type { FieldProblem } from "#platform/kernel";

/** `role:approver` or `principal:<uuid>`; a stage without any is open to everybody who may decide. */
export type Approver = string;

export interface WorkflowStage {
  readonly name: string;
  /** `serial`: one person decides it. `parallel`: several vote side by side. */
  readonly mode: "serial" | "parallel";
  readonly approvers: readonly Approver[];
  readonly requiredApprovals: number;
  /** Opens together with the stage before it. */
  readonly alongside: boolean;
  readonly slaSeconds: number | null;
  readonly escalateTo: readonly Approver[];
}

export interface WorkflowContent {
  readonly description: string;
  readonly stages: readonly WorkflowStage[];
}

export interface Workflow extends WorkflowContent {
  readonly name: string;
  /** 1 when first made, one more with each change; 0 is the built-in one. */
  readonly version: number;
  readonly digest: string;
  readonly createdBy: string | null;
  readonly createdAt: Date | null;
  readonly retiredAt: Date | null;
}

/** More holds of one requester and tool than `limit` within the window are denied, or join the batch of an earlier one. */
export interface Fatigue {
  readonly limit: number;
  readonly windowSeconds: number;
  readonly excess: "deny" | "batch";
}

export interface ApprovalSettings {
  /** 0 before anybody changed them. */
  readonly version: number;
  /** What `workflow:default` means; null: the built-in one. */
  readonly defaultWorkflow: string | null;
  readonly fatigue: Fatigue | null;
  readonly updatedBy: string | null;
  readonly updatedAt: Date | null;
}

export const defaultName = "default";

/** One vote of an approver, without a time limit. */
export const builtIn: WorkflowContent = {
  description: "One approval by an approver.",
  stages: [
    {
      name: "approval",
      mode: "serial",
      approvers: ["role:approver"],
      requiredApprovals: 1,
      alongside: false,
      slaSeconds: null,
      escalateTo: [],
    },
  ],
};

export const unchanged: ApprovalSettings = {
  version: 0,
  defaultWorkflow: null,
  fatigue: null,
  updatedBy: null,
  updatedAt: null,
};

export const mostSeats = 50;

const rolePrefix = "role:";
const personPrefix = "principal:";

export const rolesOf = (approvers: readonly Approver[]): string[] =>
  approvers.filter((a) => a.startsWith(rolePrefix)).map((a) => a.slice(rolePrefix.length));
export const peopleOf = (approvers: readonly Approver[]): string[] =>
  approvers.filter((a) => a.startsWith(personPrefix)).map((a) => a.slice(personPrefix.length));

/**
 * Everything that is wrong with a definition. `voters` are the roles that may vote; `people` the ids, of those named,
 * of people of the tenant who may.
 */
export function workflowProblems(
  content: WorkflowContent,
  voters: readonly string[],
  people: ReadonlySet<string>,
): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const names = new Set<string>();
  const seats = content.stages.reduce((sum, s) => sum + s.requiredApprovals, 0);
  if (seats > mostSeats)
    problems.push({
      path: "stages",
      code: "WORKFLOW_SEATS",
      message: `asks for more than ${mostSeats} votes`,
    });
  for (const [i, stage] of content.stages.entries()) {
    const say = (field: string, code: string, message: string): void => {
      problems.push({ path: `stages.${i}.${field}`, code, message });
    };
    if (names.has(stage.name)) say("name", "WORKFLOW_STAGE_NAME", "is the name of an earlier stage");
    names.add(stage.name);
    if (i === 0 && stage.alongside)
      say("alongside", "WORKFLOW_ALONGSIDE", "the first stage has none before it");
    if (stage.mode === "serial" && stage.requiredApprovals !== 1)
      say("requiredApprovals", "WORKFLOW_SERIAL", "a serial stage has one vote; make it parallel");
    const onlyPeople = stage.approvers.length > 0 && rolesOf(stage.approvers).length === 0;
    if (onlyPeople && stage.requiredApprovals > new Set(stage.approvers).size)
      say("requiredApprovals", "WORKFLOW_QUORUM", "is more than the people who are named");
    if (stage.slaSeconds === null && stage.escalateTo.length > 0)
      say("escalateTo", "WORKFLOW_ESCALATION", "needs slaSeconds, after which it happens");
    for (const field of ["approvers", "escalateTo"] as const) {
      for (const role of rolesOf(stage[field]))
        if (!voters.includes(role))
          say(
            field,
            "APPROVAL_ROLE_UNKNOWN",
            `nobody can approve as ${role}; choose one of ${voters.join(", ")}`,
          );
      if (!peopleOf(stage[field]).every((id) => people.has(id)))
        say(
          field,
          "WORKFLOW_APPROVER",
          "names somebody who is no person of this tenant with a role that may vote",
        );
    }
  }
  return problems;
}
