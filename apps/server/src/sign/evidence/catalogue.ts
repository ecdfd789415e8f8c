/**
 * Frameworks and their controls, with the rules by which receipts count as evidence until a tenant says otherwise.
 * Titles are summaries in words of this project: what a control demands stands in the text of the framework alone. A
 * control without a rule is one that receipts of this server say nothing about.
 */
import type { ControlFilter, EvidenceKind } from "@oars/receipts";
import { euAiAct } from "./catalogue-eu-ai-act.ts";
import { iso27001 } from "./catalogue-iso27001.ts";
import { iso42001 } from "./catalogue-iso42001.ts";
import { soc2 } from "./catalogue-soc2.ts";

export interface DefaultRule {
  readonly description: string;
  readonly receiptFilters: ControlFilter;
  readonly requiredNodeTypes: readonly EvidenceKind[];
  readonly freshnessDays: number | null;
}

export interface CatalogueControl {
  readonly controlId: string;
  readonly title: string;
  readonly rule: DefaultRule | null;
}

export interface Framework {
  readonly framework: string;
  readonly name: string;
  readonly note: string;
  readonly controls: readonly CatalogueControl[];
}

const rule = (
  description: string,
  receiptFilters: ControlFilter,
  requiredNodeTypes: readonly EvidenceKind[],
  freshnessDays: number | null = null,
): DefaultRule => ({ description, receiptFilters, requiredNodeTypes, freshnessDays });

const rules: Readonly<Record<string, DefaultRule>> = {
  receipts: rule("Every receipt: what happened is recorded, signed and in the log.", {}, ["receipt"], 30),
  decisions: rule(
    "Decisions of the policy over each effect before it left.",
    { types: ["action.decision"] },
    ["action", "actor"],
    30,
  ),
  denials: rule(
    "Effects that the policy denied or put in quarantine.",
    { types: ["action.decision"], policyDecisions: ["deny", "quarantine"] },
    ["denial"],
  ),
  approvals: rule(
    "Requests for approval and the votes of people other than the requester.",
    { types: ["approval.*"] },
    ["approval_request", "approval_decision"],
  ),
  policies: rule("Policies that were put in force.", { types: ["policy.*"] }, ["policy_version"]),
  changes: rule(
    "Changes of policies, flows and tools.",
    { types: ["policy.*", "flow.published", "tool.definition_changed"] },
    ["receipt"],
  ),
  outcomes: rule("Outcomes of effects on other systems.", { types: ["execution.*"] }, ["outcome"], 30),
  outbound: rule(
    "Decisions over effects that send data out or change it there.",
    { types: ["action.decision"], operations: ["write", "send", "pay", "delete", "execute"] },
    ["action"],
    90,
  ),
  operators: rule(
    "Orders of people to runs: retries, skips, edits, aborts, answers.",
    { types: ["run.operated", "gate.answered", "signal.received"] },
    ["operator_order"],
  ),
  oversight: rule(
    "Votes and answers of people, and their orders to what was under way.",
    { types: ["approval.vote", "gate.answered", "run.operated"] },
    ["approval_decision"],
  ),
  agents: rule("Receipts of what agents and services did.", { actorAgentIds: ["*"] }, ["actor"], 30),
  tools: rule("Changes of the definitions of tools.", { types: ["tool.*"] }, ["receipt"]),
  keys: rule("Changes of signing keys.", { types: ["key.*"] }, ["key_change"]),
  erasure: rule("Erasures of personal data.", { types: ["privacy.*"] }, ["erasure"]),
  exports: rule("Evidence packs and other exports.", { types: ["export.*"] }, ["evidence_bundle"], 90),
  breakglass: rule("Uses of emergency access.", { types: ["breakglass.*"] }, ["receipt"]),
};

function parse(text: string): CatalogueControl[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [controlId = "", title = "", name] = line.split("|").map((part) => part.trim());
      const found = name === undefined ? null : rules[name];
      if (found === undefined)
        throw new Error(`control ${controlId} names the rule ${name}, which there is not`);
      return { controlId, title, rule: found };
    });
}

const note =
  "Titles are summaries. Check the clause text of the framework, and whether a default rule fits what you must show.";

export const frameworks: readonly Framework[] = [
  { framework: "soc2", name: "SOC 2, common criteria", note, controls: parse(soc2) },
  { framework: "iso_27001", name: "ISO/IEC 27001:2022, Annex A", note, controls: parse(iso27001) },
  { framework: "iso_42001", name: "ISO/IEC 42001:2023, Annex A", note, controls: parse(iso42001) },
  { framework: "eu_ai_act", name: "EU AI Act, Regulation (EU) 2024/1689", note, controls: parse(euAiAct) },
];

export const findFramework = (name: string): Framework | undefined =>
  frameworks.find((f) => f.framework === name);
