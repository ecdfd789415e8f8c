/**
 * The decision, made again as the server makes it. Deny by default, forbid wins, an error of any policy denies. A human
 * is asked only if the votes would turn the answer into allow, which is why Cedar is asked twice. Of an agent that acts
 * for a person both are asked about, and the narrower answer counts.
 */
import type { EntityRef, ReplayEntity } from "./replay-file.ts";
import type { CedarPort, Demand, Rules } from "./replay-rules.ts";

export interface ReplayQuestion {
  /** Who acts, the tool, and the person behind. */
  readonly entities: readonly ReplayEntity[];
  readonly context: Readonly<Record<string, unknown>>;
  readonly verb: string;
}

export interface Replayed {
  readonly effect: "allow" | "deny" | "require_approval" | "quarantine";
  /** Ids of the determining policies, sorted. */
  readonly reasons: readonly string[];
  readonly errors: readonly string[];
  readonly obligations: readonly string[];
}

interface Verdict {
  readonly allowed: boolean;
  readonly reasons: readonly string[];
  readonly errors: readonly string[];
  readonly undecided: boolean;
}

/** Throws what Cedar throws. */
export function replayDecision(cedar: CedarPort, rules: Rules, question: ReplayQuestion): Replayed {
  const first = askAll(cedar, rules, question);
  const say = (effect: Replayed["effect"], obligations: readonly string[] = []): Replayed => ({
    effect,
    reasons: first.reasons,
    errors: [],
    obligations,
  });
  if (first.errors.length > 0) return { ...say("deny"), errors: first.errors };
  if (first.allowed) return say("allow");
  const demands = first.reasons.map((id): Demand => rules.demands.get(id) ?? { quarantine: false });
  if (first.undecided) return say("deny");
  if (demands.some(({ quarantine }) => quarantine)) return say("quarantine");
  if (demands.length === 0 || !demands.every(({ votes }) => votes !== undefined)) return say("deny");
  const wanted = combine(demands);
  const context = { ...question.context, approvals: withVotes(question.context.approvals, wanted) };
  const second = askAll(cedar, rules, { ...question, context });
  if (second.errors.length > 0) return { ...say("deny"), errors: second.errors };
  return second.allowed ? say("require_approval", obligationsOf(wanted)) : say("deny");
}

interface Wanted {
  /** Sorted by role; the largest quorum of each. */
  readonly roles: readonly (readonly [string, number])[];
  readonly workflows: readonly string[];
  readonly stepUp: string | undefined;
}

function combine(demands: readonly Demand[]): Wanted {
  const quorums = new Map<string, number>();
  for (const { votes } of demands)
    for (const [role, quorum] of votes?.roles ?? [])
      quorums.set(role, Math.max(quorum, quorums.get(role) ?? 0));
  const asked = demands.map(({ stepUp }) => stepUp);
  return {
    roles: [...quorums].sort(([a], [b]) => (a < b ? -1 : 1)),
    workflows: [...new Set(demands.flatMap(({ votes }) => votes?.workflows ?? []))].sort(),
    stepUp: ["webauthn", "totp"].find((one) => asked.includes(one)), // stronger first
  };
}

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];

/** The votes that are there and those that are demanded; a workflow has one person at the least. */
function withVotes(given: unknown, { roles, workflows }: Wanted): Record<string, unknown> {
  const { count, ...had } = (given ?? {}) as Record<string, unknown>; // only read, and each member looked at
  const votes = roles.reduce((sum, [, quorum]) => sum + quorum, 0) + (workflows.length > 0 ? 1 : 0);
  return {
    count: Math.max(typeof count === "number" ? count : 0, votes),
    roles: [...new Set([...textsOf(had.roles), ...roles.map(([role]) => role)])].sort(),
    workflows: [...new Set([...textsOf(had.workflows), ...workflows])].sort(),
  };
}

const obligationsOf = ({ roles, workflows, stepUp }: Wanted): string[] => [
  ...roles.map(([role, quorum]) => `approve:${role}:${quorum}`),
  ...workflows.map((name) => `approve:workflow:${name}`),
  ...(stepUp === undefined ? [] : [`step_up:${stepUp}`]),
];

function askAll(cedar: CedarPort, rules: Rules, question: ReplayQuestion): Verdict {
  const [who, tool, behind] = question.entities;
  if (who === undefined || tool === undefined)
    throw new Error("the entities name nobody who acts, or no tool");
  const links = behind === undefined ? [who.uid] : [behind.uid, who.uid];
  const verdicts = links.map((link) => ask(cedar, rules, question, link, tool.uid));
  const [only] = verdicts;
  if (verdicts.length === 1 && only) return { ...only, undecided: false };
  const allowed = verdicts.every((verdict) => verdict.allowed);
  const telling = verdicts.filter((verdict) => verdict.allowed === allowed);
  const united = (lists: readonly (readonly string[])[]): string[] => [...new Set(lists.flat())].sort();
  return {
    allowed,
    reasons: united(telling.map(({ reasons }) => reasons)),
    errors: united(verdicts.map(({ errors }) => errors)),
    undecided: !allowed && telling.some(({ reasons }) => reasons.length === 0),
  };
}

function ask(
  cedar: CedarPort,
  { policies }: Rules,
  { entities, context, verb }: ReplayQuestion,
  principal: EntityRef,
  resource: EntityRef,
): Verdict {
  const action = { type: "Oars::Action", id: verb };
  const answer = cedar.isAuthorized({ principal, action, resource, context, entities, policies });
  if (answer.type === "failure") throw new Error(answer.errors.map(({ message }) => message).join("; "));
  const { decision, diagnostics } = answer.response;
  return {
    allowed: decision === "allow",
    reasons: diagnostics.reason.toSorted(),
    errors: diagnostics.errors.map(({ policyId, error }) => `policy ${policyId}: ${error.message}`).sort(),
    undecided: false,
  };
}
