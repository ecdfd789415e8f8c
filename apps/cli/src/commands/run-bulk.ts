import type { BulkRunRequest, BulkRunResult, RunStatus } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, type CommandHost, collect } from "../command.ts";
import { UsageError } from "../failure.ts";
import type { Session } from "../session.ts";
import { clip, table } from "../text.ts";
import { type MatchOptions, matchOf, matchOptions } from "./run-match.ts";

const commands = ["retry", "skip", "abort", "pause", "resume"] as const;

interface BulkOptions extends MatchOptions {
  readonly reason: string;
  readonly step?: string;
  readonly apply?: boolean;
}

export function addRunBulk(run: Command, host: CommandHost): void {
  const command = addCommand(
    run,
    host,
    "bulk <command>",
    "One command over all runs that match; without --apply it tells what would happen",
    bulk,
  )
    .requiredOption("--reason <text>", "why; it is recorded with each run")
    .option("--step <name>", "of retry and skip: this step")
    .addOption(new Option("--apply", "do it"));
  matchOptions(command, collect);
  command.addHelpText("after", `\nCommands: ${commands.join(", ")}`);
}

/** Goes on until the last run that matches. Exit 1 when some were refused. */
async function bulk(session: Session, options: BulkOptions, given: string): Promise<number> {
  const command = commands.find((c) => c === given);
  if (command === undefined)
    throw new UsageError(`There is no ${given}; choose one of ${commands.join(", ")}.`);
  const filter = matchOf(options);
  if (Object.keys(filter).length === 0)
    throw new UsageError("Say which runs: --status, --flow, --label, --search, --since or --until.");
  const client = await session.client();
  const dryRun = options.apply !== true;
  const request: BulkRunRequest = { command, filter, reason: options.reason, dryRun };
  if (options.step !== undefined) request.step = options.step;
  const results: BulkRunResult[] = [];
  for (let cursor: string | null | undefined; cursor !== null; cursor = results.at(-1)?.nextCursor ?? null) {
    if (cursor !== undefined) session.remark(`${results.reduce((n, r) => n + r.matched, 0)} runs so far.\n`);
    results.push(await client.runs.bulk(cursor === undefined ? request : { ...request, cursor }));
  }
  const whole = joined(results);
  session.show(whole, () => render(whole));
  return !dryRun && Object.keys(whole.outcomes).some((outcome) => outcome !== "ok") ? 1 : 0;
}

type Whole = Omit<BulkRunResult, "nextCursor">;

function joined(results: readonly BulkRunResult[]): Whole {
  const outcomes: Record<string, number> = {};
  for (const result of results)
    for (const [outcome, n] of Object.entries(result.outcomes))
      outcomes[outcome] = (outcomes[outcome] ?? 0) + n;
  return {
    command: results[0]?.command ?? "retry",
    dryRun: results[0]?.dryRun ?? true,
    matched: results.reduce((n, r) => n + r.matched, 0),
    outcomes,
    items: results.flatMap((r) => r.items),
  };
}

function render({ command, dryRun, matched, outcomes, items }: Whole): string {
  if (matched === 0) return "No run matches.\n";
  const counts = Object.entries(outcomes).map(([outcome, n]) => `${n} ${outcome}`);
  const shown = items.slice(0, 50);
  const rows = shown.map((i) => [
    i.runId,
    (i.status ?? "gone") as RunStatus | "gone",
    i.outcome,
    clip(i.message ?? "", 80),
  ]);
  const left =
    matched > shown.length ? `… and ${matched - shown.length} more (--json shows what was told)\n` : "";
  const head = dryRun ? `${command} would find ${matched} runs` : `${command} over ${matched} runs`;
  const next = dryRun ? "Nothing was done. To do it, add --apply.\n" : "";
  return `${head}: ${counts.join(", ")}.\n\n${table([["run", "status", "outcome", "why"], ...rows])}${left}${next}`;
}
