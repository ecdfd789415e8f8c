/**
 * What can be read off a policy's tree and would otherwise go wrong later, silently: trees that end the
 * engine's stack, approvals that no vote can satisfy, environments in a spelling that never occurs.
 */
import type { FieldProblem } from "#platform/kernel";
import type { Duties } from "./domain.ts";

type Problem = Pick<FieldProblem, "code" | "message">;

/** Cedar's JSON form of a policy, of which only the shape that is looked at is known. */
export type Tree = Readonly<Record<string, unknown>>;

// Measured: 500 links of one chain end the stack while deciding; a link is two levels of JSON.
const maxTreeDepth = 200;

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
  const offered = (duties.approval ?? []).reduce((sum, { quorum }) => sum + quorum, 0);
  if (duties.approval && mostVotes > offered)
    problems.push({
      code: "POLICY_QUORUM",
      message: `The condition wants ${mostVotes} approvals, @require_approval asks for ${offered}; make them agree.`,
    });
  return problems;
}

/** Visits every object of a tree without recursion. True when it is too deep, and then nothing is promised. */
function eachNode(root: unknown, visit: (node: Tree) => void): boolean {
  const open: [unknown, number][] = [[root, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, depth] = next;
    if (typeof value !== "object" || value === null) continue;
    if (depth > maxTreeDepth) return true;
    if (!Array.isArray(value)) visit(value as Tree); // an object that is no array
    for (const child of Object.values(value)) open.push([child, depth + 1]);
  }
  return false;
}

const childOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Tree)[key] // checked to be an object with that key
    : undefined;

/** Whether the node reads `variable.attribute`. */
function isPath(node: unknown, variable: string, attribute: string): boolean {
  const access = childOf(node, ".");
  return childOf(access, "attr") === attribute && childOf(childOf(access, "left"), "Var") === variable;
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
