/**
 * What can be read off a policy's tree and would otherwise go wrong later, silently: trees that end the
 * engine's stack, approvals that no vote can satisfy, environments in a spelling that never occurs.
 */
import type { FieldProblem } from "#platform/kernel";
import type { Duties } from "./domain.ts";
import { childOf, eachNode, isPath, type Tree } from "./tree.ts";

type Problem = Pick<FieldProblem, "code" | "message">;

export function lintPolicy(policy: Tree, effect: "permit" | "forbid", duties: Duties): Problem[] {
  const problems: Problem[] = [];
  let readsApprovals = false;
  let mostVotes = 0;
  const tooDeep = eachNode(policy, (node) => {
    if (isPath(node, "context", "approvals")) readsApprovals = true;
    mostVotes = Math.max(mostVotes, votesAsked(node));
    const spelled = environmentSpelled(node);
    if (spelled !== undefined)
      problems.push({
        code: "POLICY_ENVIRONMENT",
        message: `Environments are compared in lower case; write ${JSON.stringify(spelled.toLowerCase())}, or this never holds.`,
      });
  });
  if (tooDeep)
    return [
      {
        code: "POLICY_DEPTH",
        message: "The condition is nested or chained too deeply; use sets or split the policy.",
      },
    ];
  if (effect === "forbid" && duties.approval && !readsApprovals)
    problems.push({
      code: "POLICY_APPROVAL_UNREAD",
      message:
        "No vote can lift this forbid; add `unless { context.approvals.count >= n }` or drop @require_approval.",
    });
  const asked = (duties.approval ?? []).reduce((sum, { quorum }) => sum + quorum, 0);
  const offered = asked + (duties.workflows ? 1 : 0);
  if (duties.approval && mostVotes > offered)
    problems.push({
      code: "POLICY_QUORUM",
      message: `The condition wants ${mostVotes} approvals, @require_approval asks for ${offered}; make them agree.`,
    });
  return problems;
}

/** n in `context.approvals.count >= n`, `> n - 1` or `== n`, else 0. */
function votesAsked(node: Tree): number {
  for (const [operator, extra] of [
    [">=", 0],
    ["==", 0],
    [">", 1],
  ] as const) {
    const compared = childOf(node, operator);
    const access = childOf(childOf(compared, "left"), ".");
    const number = childOf(childOf(compared, "right"), "Value");
    if (
      childOf(access, "attr") === "count" &&
      isPath(childOf(access, "left"), "context", "approvals") &&
      typeof number === "number"
    )
      return number + extra;
  }
  return 0;
}

/** The literal that an environment is compared with, when it is not in lower case. */
function environmentSpelled(node: Tree): string | undefined {
  const type = node.type ?? node.entity_type;
  const id = node.id;
  if (type === "Oars::Environment" && typeof id === "string" && id !== id.toLowerCase()) return id;
  for (const operator of ["==", "!=", "contains"]) {
    const compared = childOf(node, operator);
    const sides = [childOf(compared, "left"), childOf(compared, "right")];
    const isEnvironment = (side: unknown): boolean =>
      isPath(side, "context", "env") || isPath(side, "resource", "environment");
    if (!sides.some(isEnvironment)) continue;
    for (const side of sides) {
      const elements = childOf(side, "Set");
      const literals = Array.isArray(elements) ? elements : [side];
      for (const literal of literals.map((element) => childOf(element, "Value")))
        if (typeof literal === "string" && literal !== literal.toLowerCase()) return literal;
    }
  }
  return undefined;
}
