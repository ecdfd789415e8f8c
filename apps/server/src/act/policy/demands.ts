/** What a bundle asks of people must be something that this server can get from them: nothing waits in vain. */
import { permissions, roleNames } from "#platform/access";
import type { FieldProblem } from "#platform/kernel";
import type { Bundle } from "./domain.ts";

const voters: readonly string[] = roleNames.filter((role) =>
  permissions["approvals:decide"].roles.includes(role),
);

/** Approvals by roles that nobody holds or that may not vote. */
export function demandProblems(bundle: Bundle): FieldProblem[] {
  return bundle.policies.flatMap(({ id, duties }) =>
    (duties.approval ?? [])
      .filter(({ role }) => !voters.includes(role))
      .map(({ role }) => ({
        path: `cedar/${id}`,
        code: "APPROVAL_ROLE_UNKNOWN",
        message: `Policy ${id}: nobody can approve as ${role}; choose one of ${voters.join(", ")}.`,
      })),
  );
}
