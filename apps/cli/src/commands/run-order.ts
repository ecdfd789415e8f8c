/** Commands of operators on runs. Each is recorded with its reason, and signed. */
import type { Run } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, type CommandHost, collect, wholeNumber } from "../command.ts";
import { UsageError } from "../failure.ts";
import { jsonForm, jsonOf, objectOf } from "../json-option.ts";
import type { Session } from "../session.ts";

const reason = ["--reason <text>", "why; it is recorded"] as const;
const ifMatch = [
  "--if-match <etag>",
  "only if the run has not moved since this etag (oars run show --json)",
] as const;

export function addRunOrders(run: Command, host: CommandHost): void {
  const order = (usage: string, about: string, handle: Parameters<typeof addCommand>[4]): Command =>
    addCommand(run, host, usage, about, handle)
      .requiredOption(...reason)
      .option(...ifMatch);
  order("retry <id>", "Run failed steps again", retry)
    .option("--step <name>", "this step; else all whose failure ended the run")
    .option("--edits <json>", `changes to the step's input, ${jsonForm}`)
    .option("--delay <seconds>", "0 to 600", wholeNumber(0, 600));
  order("skip <id>", "Skip a step that the flow lets be skipped", skip)
    .option("--step <name>", "this step; else all whose failure ended the run")
    .option("--output <json>", `what stands in for its output, ${jsonForm}`);
  order("edit-output <id>", "Put another output in place of a step's own", editOutput)
    .requiredOption("--step <name>", "the step, of which nothing has been used yet")
    .requiredOption("--output <json>", `the output, ${jsonForm}`);
  order("abort <id>", "Abort a run and its sub-runs", whole("abort"));
  order("pause <id>", "Hold a run back", whole("pause"));
  order("resume <id>", "Let a paused run go on", whole("resume"));
  order("rerun <id>", "Begin a new run at a step of this one, with what came before it", rerun)
    .requiredOption("--from <step>", "the first step that runs again")
    .option("--flow-version <version>", "another version than that of the run; latest for the highest")
    .option("--label <name=value>", "a label; repeatable", collect);
  order("replay <id>", "Begin a new run like this one", replay)
    .option("--params <json>", `parameters in place of the run's own, ${jsonForm}`)
    .option("--flow-version <version>", "another version than that of the run; latest for the highest")
    .option("--label <name=value>", "a label; repeatable", collect);
  addCommand(run, host, "signal <id> <name>", "Send a signal to a run that waits for it", signal).option(
    "--payload <json>",
    `its payload, ${jsonForm}; null when absent`,
  );
  addCommand(run, host, "signals <id>", "List what was sent to a run, newest first", signals).addOption(
    new Option("--limit <n>", "items to show, 1 to 200").default(50).argParser(wholeNumber(1, 200)),
  );
}

interface Ordered {
  readonly reason: string;
  readonly ifMatch?: string;
}

const optionsOf = ({ ifMatch: tag }: Ordered) =>
  tag === undefined ? {} : { ifMatch: tag.replace(/^"(.*)"$/, "$1") };

const labelsOf = (label: readonly string[] | undefined): { labels?: Record<string, string> } => {
  if (label === undefined) return {};
  const pairs = label.map((given) => {
    const at = given.indexOf("=");
    if (at < 1) throw new UsageError(`--label takes NAME=VALUE, not ${JSON.stringify(given)}.`);
    return [given.slice(0, at), given.slice(at + 1)] as const;
  });
  return { labels: Object.fromEntries(pairs) };
};

function tell(session: Session, run: Run, next: string): void {
  const state = run.pausedAt === null ? run.status : "paused";
  session.show(run, () => `Run ${run.id} is ${state}.\n${next}`);
}
const watch = (run: Run): string => `Try next: oars run watch ${run.id}\n`;

interface StepOptions extends Ordered {
  readonly step?: string;
}

async function retry(
  session: Session,
  options: StepOptions & { edits?: string; delay?: number },
  id: string,
): Promise<void> {
  const { step, edits, delay, reason: why } = options;
  if (edits !== undefined && step === undefined) throw new UsageError("--edits goes with --step.");
  const client = await session.client();
  const request = {
    reason: why,
    ...(step === undefined ? {} : { step }),
    ...(edits === undefined ? {} : { edits: await objectOf(session, edits, "--edits") }),
    ...(delay === undefined ? {} : { delaySeconds: delay }),
  };
  const run = await client.runs.retry(id, request, optionsOf(options));
  tell(session, run, watch(run));
}

async function skip(session: Session, options: StepOptions & { output?: string }, id: string): Promise<void> {
  const { step, output, reason: why } = options;
  if (output !== undefined && step === undefined) throw new UsageError("--output goes with --step.");
  const client = await session.client();
  const request = {
    reason: why,
    ...(step === undefined ? {} : { step }),
    ...(output === undefined ? {} : { output: await jsonOf(session, output, "--output") }),
  };
  const run = await client.runs.skip(id, request, optionsOf(options));
  tell(session, run, watch(run));
}

async function editOutput(
  session: Session,
  options: Ordered & { step: string; output: string },
  id: string,
): Promise<void> {
  const { step, reason: why } = options;
  const output = await jsonOf(session, options.output, "--output");
  const run = await (await session.client()).runs.editOutput(
    id,
    { step, output, reason: why },
    optionsOf(options),
  );
  tell(session, run, "");
}

const whole =
  (order: "abort" | "pause" | "resume") =>
  async (session: Session, options: Ordered, id: string): Promise<void> => {
    const run = await (await session.client()).runs[order](id, options.reason, optionsOf(options));
    const next = order === "pause" ? `Try next: oars run resume ${run.id} --reason TEXT\n` : "";
    tell(session, run, order === "resume" ? watch(run) : next);
  };

interface RepeatOptions extends Ordered {
  readonly flowVersion?: string;
  readonly label?: readonly string[];
}

const versionOf = ({ flowVersion }: RepeatOptions) =>
  flowVersion === undefined ? {} : { version: flowVersion };

async function rerun(session: Session, options: RepeatOptions & { from: string }, id: string): Promise<void> {
  const request = {
    reason: options.reason,
    from: options.from,
    ...versionOf(options),
    ...labelsOf(options.label),
  };
  const run = await (await session.client()).runs.rerun(id, request, optionsOf(options));
  session.show(run, () => `Run ${run.id} repeats ${id} from ${options.from} on.\n${watch(run)}`);
}

async function replay(
  session: Session,
  options: RepeatOptions & { params?: string },
  id: string,
): Promise<void> {
  const request = {
    reason: options.reason,
    ...(options.params === undefined ? {} : { params: await objectOf(session, options.params, "--params") }),
    ...versionOf(options),
    ...labelsOf(options.label),
  };
  const run = await (await session.client()).runs.replay(id, request, optionsOf(options));
  session.show(run, () => `Run ${run.id} repeats ${id}.\n${watch(run)}`);
}

async function signal(
  session: Session,
  options: { payload?: string },
  id: string,
  name: string,
): Promise<void> {
  const { payload } = options;
  const client = await session.client();
  const request = {
    name,
    ...(payload === undefined ? {} : { payload: await jsonOf(session, payload, "--payload") }),
  };
  const sent = await client.runs.signal(id, request);
  session.show(
    sent,
    () => `Signal ${sent.name} is kept for run ${sent.runId}.\nTry next: oars run watch ${sent.runId}\n`,
  );
}

async function signals(session: Session, { limit }: { limit: number }, id: string): Promise<void> {
  const page = await (await session.client()).runs.signals(id, { limit }).page();
  session.show(page, () =>
    page.items.length === 0
      ? "Nothing was sent to this run.\n"
      : page.items
          .map((s) => `${s.sentAt}  ${s.name}  ${s.step === null ? "waits" : `taken by ${s.step}`}\n`)
          .join(""),
  );
}
