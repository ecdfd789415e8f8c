/** What runs may have in common, as options of the commands that look for them. */
import type { RunMatch, RunStatus } from "@oars/sdk";
import { type Command, Option } from "commander";
import type { collect } from "../command.ts";
import { UsageError } from "../failure.ts";

const statuses = ["queued", "running", "waiting", "completed", "failed", "aborted"] as const;

export interface MatchOptions {
  readonly status?: RunStatus;
  readonly flow?: string;
  readonly label?: readonly string[];
  readonly parent?: string;
  readonly origin?: string;
  readonly since?: string;
  readonly until?: string;
  readonly search?: string;
}

export const matchOptions = (command: Command, each: typeof collect): Command =>
  command
    .addOption(new Option("--status <status>", "only these").choices(statuses))
    .option("--flow <name>", "only of this flow")
    .option("--label <name=value>", "only with this label; repeatable", each)
    .option("--parent <id>", "only sub-runs of this run")
    .option("--origin <id>", "only repeats of this run")
    .option("--since <instant>", "only started then or later, as in 2026-01-31T09:00:00Z")
    .option("--until <instant>", "only started before then")
    .option("--search <text>", "only with this text in flow, label or error, or the run of this id");

/** Throws UsageError for an instant that is none. */
export function matchOf(options: MatchOptions): RunMatch {
  const { status, flow, label, parent, origin, since, until, search } = options;
  const match: Record<string, unknown> = {
    status,
    flow,
    label: label === undefined ? undefined : [...label],
    parent,
    origin,
    startedAfter: instantOf(since, "--since"),
    startedBefore: instantOf(until, "--until"),
    search,
  };
  return Object.fromEntries(Object.entries(match).filter(([, value]) => value !== undefined)) as RunMatch; // members by the type of the options
}

function instantOf(text: string | undefined, option: string): string | undefined {
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at))
    throw new UsageError(`${option} takes a day or an instant with its zone, as in 2026-01-31T09:00:00Z.`);
  return new Date(at).toISOString();
}
