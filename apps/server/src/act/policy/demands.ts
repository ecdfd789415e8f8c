/** What a bundle asks of people must be something that this server can get from them: nothing waits in vain. */
import { permissions, roleNames } from "#platform/access";
import type { FieldProblem } from "#platform/kernel";
import type { Bundle } from "./domain.ts";

const voters: readonly string[] = roleNames.filter((role) =>
  permissions["approvals:decide"].roles.includes(role),
);

/** Approvals by roles that nobody holds or that may not vote, and confirmations that cannot be taken yet. */
export function demandProblems(bundle: Bundle): FieldProblem[] {
  return bundle.policies.flatMap(({ id, duties }) => {
    const path = `cedar/${id}`;
    const roles = (duties.approval ?? []).filter(({ role }) => !voters.includes(role));
    const problems: FieldProblem[] = roles.map(({ role }) => ({
      path,
      code: "APPROVAL_ROLE_UNKNOWN",
      message: `Policy ${id}: nobody can approve as ${role}; choose one of ${voters.join(", ")}.`,
    }));
    if (duties.stepUp)
      problems.push({
        path,
        code: "STEP_UP_UNAVAILABLE",
        message: `Policy ${id}: this version cannot ask approvers for ${duties.stepUp}; leave @step_up out.`,
      });
    return problems;
  });
}
