import type { PolicyDiff, PolicyExplanation, PolicyReplay, SimulatePolicyRequest } from "@oars/sdk";
import { type Command, Option } from "commander";
import {
  addCommand,
  type CommandHost,
  type PageOptions,
  pageOf,
  pageOptions,
  wholeNumber,
} from "../command.ts";
import { RefusedError } from "../failure.ts";
import { parseJson, parseJsonObject, readSource } from "../files.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { block, fields, table } from "../text.ts";
import { when } from "../time.ts";

/** What would happen: to one action, to those of the past, to what a candidate changes. */
export function addRehearsals(policy: Command, host: CommandHost): void {
  addCommand(policy, host, "simulate <file>", "Ask a bundle about one action, and why", simulate)
    .option("--policy <id>", "any version, drafts too; else the one in force")
    .addHelpText(
      "after",
      '\nFILE is JSON: {"connection", "operation", "input", "agentId"?, "context"?}, or {"request": …} as in golden cases.',
    );
  addCommand(policy, host, "explain <action-id>", "Why an action was decided as it was", explain).option(
    "--policy <id>",
    "as this version would decide it",
  );
  addCommand(policy, host, "diff <id>", "What changed from the bundle in force to this one", diff).option(
    "--against <id>",
    "from this one instead",
  );
  addCommand(policy, host, "replay <id>", "Ask a candidate about the decisions of the past", replay)
    .addOption(new Option("--days <n>", "actions of so many days").argParser(wholeNumber(1, 366)))
    .addOption(
      new Option("--actions <n>", "at most so many actions, the newest").argParser(wholeNumber(1, 200_000)),
    );
  addCommand(
    policy,
    host,
    "shadow <id>",
    "Set a candidate beside the bundle in force; `off` ends it",
    shadow,
  ).addOption(
    new Option("--share <percent>", "of decisions that ask it").default(100).argParser(wholeNumber(1, 100)),
  );
  pageOptions(
    addCommand(policy, host, "differences", "Actions that the candidate would decide otherwise", differences),
  );
  addCommand(policy, host, "import <file>", "Turn rules of the simple form into Cedar", importRules)
    .option("--keep", "keep it as a draft; without this nothing is stored")
    .option("--unmatched <effect>", "what no rule matches: allow or deny", "deny")
    .option("--approver-role <role>", "who approves", "approver")
    .option("--name <name>", "a name for people");
}

async function simulate(session: Session, options: { policy?: string }, file: string): Promise<void> {
  const asked = parseJsonObject(await readSource(file, session.terminal), file);
  const request = {
    ...asked,
    ...(options.policy === undefined ? {} : { policyId: options.policy }),
  } as unknown as SimulatePolicyRequest; // the server checks it and names every problem
  showExplanation(session, await (await session.client()).policies.simulate(request));
}

async function explain(session: Session, options: { policy?: string }, id: string): Promise<void> {
  showExplanation(session, await (await session.client()).policies.explain(id, options.policy));
}

function showExplanation(session: Session, found: PolicyExplanation): void {
  session.show(
    found,
    () =>
      fields([
        ["decision", found.decision],
        ["message", found.message],
        ["bundle", `${found.policy.version} (${found.policy.state})`],
        ["risk", `${found.risk.score} (${found.risk.tier})`],
        ["determined by", found.ruleIds.join(", ") || "no policy: what nothing permits is denied"],
        ["errors", found.errors.join("; ") || null],
      ]) +
      (found.nearMisses.length === 0
        ? ""
        : table([
            ["near miss", "because", "clause"],
            ...found.nearMisses.map((miss) => [
              miss.id,
              miss.because === "scope" ? "for others" : miss.because === "error" ? "error" : "does not hold",
              miss.clause === null ? "-" : `${miss.clause.kind} ${miss.clause.text.replaceAll(/\s+/g, " ")}`,
            ]),
          ])),
  );
}

async function diff(session: Session, options: { against?: string }, id: string): Promise<void> {
  const found = await (await session.client()).policies.diff(id, options.against);
  session.show(found, () => diffText(found));
}

function diffText(found: PolicyDiff): string {
  const parts = (["policies", "cases", "counters", "entities"] as const).flatMap((what) =>
    found[what].map((one) => ({ what, ...one })),
  );
  const from = found.from === null ? "nothing" : `bundle ${found.from.version}`;
  const head = `From ${from} to bundle ${found.to.version}: ${parts.length} ${parts.length === 1 ? "change" : "changes"}.\n`;
  return (
    head +
    parts
      .map(({ what, id, change, before, after }) =>
        [
          `${change} ${what === "policies" ? "policy" : what.replace(/ies$/, "y").replace(/s$/, "")} ${id}`,
          ...lines("-", before),
          ...lines("+", after),
          "",
        ].join("\n"),
      )
      .join("\n")
  );
}

const lines = (sign: string, text: string | null): string[] =>
  text === null ? [] : text.split("\n").map((line) => `${sign} ${line}`);

async function replay(
  session: Session,
  options: { days?: number; actions?: number },
  id: string,
): Promise<number> {
  const client = await session.client();
  const { days, actions } = options;
  const begun = await client.policies.startReplay(id, {
    ...(days === undefined ? {} : { days }),
    ...(actions === undefined ? {} : { actions }),
  });
  const ended = await client.policies.waitReplay(begun.id);
  session.show(ended, () => replayText(ended));
  return ended.state === "completed" ? 0 : 1;
}

function replayText({ id, state, error, report }: PolicyReplay): string {
  if (report === null)
    return fields([
      ["replay", id],
      ["state", state],
      ["error", error],
    ]);
  const rows = Object.entries(report.matrix).flatMap(([before, to]) =>
    Object.entries(to ?? {}).map(([after, count]) => [before, after, String(count)]),
  );
  const movers = (["principals", "tools", "policies"] as const).flatMap((kind) =>
    report.movers[kind].map(({ name, changed }) => [
      kind.replace(/ies$/, "y").replace(/s$/, ""),
      name,
      String(changed),
    ]),
  );
  return (
    fields([
      ["replay", id],
      ["asked again", String(report.population)],
      ["would change", String(report.changed)],
      ["not readable", report.unreadable === 0 ? null : String(report.unreadable)],
    ]) +
    (rows.length === 0 ? "" : table([["was", "would be", "actions"], ...rows])) +
    (movers.length === 0 ? "" : table([["behind changes", "", "actions"], ...movers]))
  );
}

async function shadow(session: Session, { share }: { share: number }, id: string): Promise<void> {
  const client = await session.client();
  const policyId = (id === "off" ? null : id) as NonNullable<PolicyReplay["againstId"]> | null; // the server checks it
  const settings = await client.policies.setShadow({ policyId, share });
  session.show(settings, () =>
    settings.shadow === null
      ? "No candidate is asked.\n"
      : `The candidate is asked about ${settings.shadow.share} % of decisions and decides nothing.\n`,
  );
}

async function differences(session: Session, options: PageOptions): Promise<void> {
  const page = await (await session.client()).policies.differences(pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0
      ? "The candidate would have decided nothing otherwise.\n"
      : table([
          ["tool", "was", "would be", "by", "when", "action"],
          ...page.items.map((one) => [
            one.tool,
            one.decision.effect,
            one.shadow.effect,
            one.shadow.reasons.join(", ") || "-",
            when(one.createdAt, session.now()) ?? "-",
            one.actionId,
          ]),
        ]) + more(page),
  );
}

interface ImportOptions {
  readonly keep?: boolean;
  readonly unmatched: string;
  readonly approverRole: string;
  readonly name?: string;
}

async function importRules(session: Session, options: ImportOptions, file: string): Promise<number> {
  const { unmatched, approverRole, name } = options;
  if (unmatched !== "allow" && unmatched !== "deny")
    throw new RefusedError("UNMATCHED", "--unmatched is allow or deny.", []);
  const given = parseJson(await readSource(file, session.terminal), file);
  const document = Array.isArray(given) ? { rules: given } : (given as { rules: Record<string, unknown>[] }); // the server checks it
  const made = await (await session.client()).policies.importRules({
    ...document,
    unmatched,
    approverRole,
    dryRun: options.keep !== true,
    ...(name === undefined ? {} : { name }),
  });
  session.show(
    made,
    () =>
      made.cedar +
      made.divergences.map(({ rule, message }) => `// ${rule ?? "all"}: ${message}\n`).join("") +
      block("problems", made.problems.length > 0 ? made.problems : undefined) +
      (made.policy === null ? "" : fields([["draft", made.policy.id]])),
  );
  return made.problems.length === 0 ? 0 : 1;
}
