/**
 * Rules to Cedar. There the first match by priority decides, here a forbid wins over every permit; so a rule
 * that stops an action excludes what rules before it decide otherwise, and then both say the same:
 * [M1] for every action that some rule matches, the imported bundle decides as the first matching rule.
 * What cannot be the same is told to the author as a divergence.
 */
import { policyIdOf, type RiskTier, type Rule, type RuleMatch, riskTiers, tierFloors } from "./rule-form.ts";

export interface Divergence {
  /** The rule that it is about; null: the whole. */
  readonly rule: string | null;
  readonly message: string;
}

export interface ImportOptions {
  /** What becomes of actions that no rule matches. The rule form allowed them. */
  readonly unmatched: "allow" | "deny";
  /** The role whose vote an `approve` rule asks for. */
  readonly approverRole: string;
}

export interface Imported {
  readonly cedar: string;
  readonly divergences: readonly Divergence[];
}

export function importRules(rules: readonly Rule[], options: ImportOptions): Imported {
  const ordered = rules.toSorted((a, b) => b.priority - a.priority); // stable: of equals the first stays first
  const texts = ordered.flatMap((rule, index) => policiesOf(rule, ordered.slice(0, index), options));
  if (options.unmatched === "allow")
    texts.push(
      `@id("imported-unmatched")\n@description("What no rule matches is allowed, as before the import.")\npermit (principal, action, resource);`,
    );
  return { cedar: `${texts.join("\n\n")}\n`, divergences: divergencesOf(ordered, options) };
}

function policiesOf(rule: Rule, before: readonly Rule[], { approverRole }: ImportOptions): string[] {
  const id = policyIdOf(rule.id);
  const described = rule.description ? `@description(${JSON.stringify(rule.description)})\n` : "";
  const match = conditionOf(rule.match);
  const permit = (name: string): string =>
    `@id("${name}")\n${described}permit (principal, action, resource)${match === "" ? "" : `\nwhen { ${match} }`};`;
  if (rule.decision === "allow") return [permit(id)];

  const others = before.filter((one) => one.decision !== rule.decision);
  if (others.some((one) => conditionOf(one.match) === "")) return [];
  const clauses = [
    ...(match === "" ? [] : [`when { ${match} }`]),
    ...others.map((one) => `unless { ${conditionOf(one.match)} }`),
  ];
  const head = `@id("${id}")\n${described}`;
  const scope = "forbid (principal, action, resource)";
  if (rule.decision === "deny") return [`${[`${head}${scope}`, ...clauses].join("\n")};`];
  if (rule.decision === "quarantine") return [`${[`${head}@quarantine\n${scope}`, ...clauses].join("\n")};`];
  const held = [
    `${head}@require_approval("${approverRole}:1")\n${scope}`,
    ...clauses,
    "unless { context.approvals.count >= 1 }",
  ];
  return [permit(`${id}-once-approved`), `${held.join("\n")};`];
}

/** A match as one condition; empty: everything. */
function conditionOf(match: RuleMatch): string {
  const parts: string[] = [];
  const add = (alternatives: readonly string[]): void => {
    parts.push(alternatives.length === 1 ? String(alternatives[0]) : `(${alternatives.join(" || ")})`);
  };
  if (match.toolIds) {
    const whole = match.toolIds.filter((id) => id.includes("/"));
    const connections = match.toolIds.filter((id) => !id.includes("/"));
    add([
      ...(connections.length > 0 ? [`${set(connections)}.contains(resource.connection)`] : []),
      ...(whole.length > 0
        ? [`[${whole.map((id) => `Oars::Tool::${JSON.stringify(id)}`).join(", ")}].contains(resource)`]
        : []),
    ]);
  }
  if (match.operations) {
    const verbs = match.operations.filter((name) => isVerb(name));
    const names = match.operations.filter((name) => !isVerb(name));
    add([
      ...(names.length > 0 ? [`${set(names)}.contains(context.operation)`] : []),
      ...verbs.map((verb) => `action == Oars::Action::"${verb}"`),
    ]);
  }
  if (match.targetContains !== undefined) add([`context.target like ${pattern(match.targetContains)}`]);
  if (match.riskTiers) add(match.riskTiers.map(tierText));
  if (match.environments)
    add([
      `${set([...new Set(match.environments.map((name) => name.trim().toLowerCase()))])}.contains(context.env)`,
    ]);
  if (match.requiredDataTypes) add([`context.dataTypes.containsAll(${set(match.requiredDataTypes)})`]);
  if (match.timeWindowUtc) {
    const { startHour, endHour } = match.timeWindowUtc;
    const [from, to] = [`context.time.hour >= ${startHour}`, `context.time.hour < ${endHour}`];
    if (startHour < endHour) parts.push(from, to);
    else add([from, to]);
  }
  return parts.join(" && ");
}

const verbs = ["read", "write", "delete", "execute", "send", "pay"];
const isVerb = (name: string): boolean => verbs.includes(name);
const set = (values: readonly string[]): string =>
  `[${values.map((value) => JSON.stringify(value)).join(", ")}]`;
const pattern = (part: string): string => `"*${JSON.stringify(part).slice(1, -1).replaceAll("*", "\\*")}*"`;

function tierText(tier: RiskTier): string {
  const next = riskTiers[riskTiers.indexOf(tier) + 1];
  const from = tier === "low" ? "" : `context.risk >= ${tierFloors[tier]}`;
  const to = next === undefined ? "" : `context.risk < ${tierFloors[next]}`;
  return [from, to].filter((part) => part !== "").length === 2 ? `(${from} && ${to})` : from + to;
}

function divergencesOf(rules: readonly Rule[], options: ImportOptions): Divergence[] {
  const found: Divergence[] = [];
  if (options.unmatched === "deny")
    found.push({
      rule: null,
      message:
        "The rule form allows what no rule matches; here it is denied. Add permits, or import with unmatched: allow.",
    });
  for (const [index, { id, match, decision }] of rules.entries()) {
    const say = (message: string) => found.push({ rule: id, message });
    const whole = rules.slice(0, index).find((one) => conditionOf(one.match) === "");
    if (whole !== undefined) say(`never decides: ${whole.id} comes before it and matches everything.`);
    if (match.toolIds?.some((tool) => !tool.includes("/")))
      say("toolIds without a slash are read as names of connections; all operations of those match.");
    if (match.operations?.some(isVerb))
      say("operations that are verbs (read, write, …) match by verb, whatever the operation is called.");
    if (match.targetContains !== undefined)
      say(
        "targetContains looks for a text anywhere in the target, which is easily evaded; prefer tools or facts.",
      );
    if (match.environments)
      say("environments compare in lower case and are the connection's own, not what a caller says.");
    if (match.requiredDataTypes) say("data types are those of the connection, not what a caller says.");
    if (match.riskTiers)
      say("risk is that of the catalogue, from 0 to 100: medium from 40, high from 70, critical from 90.");
    if (decision === "approve")
      say(
        `approve asks for one vote of the role ${options.approverRole}; the rule form left that to the workflow.`,
      );
  }
  return found;
}
