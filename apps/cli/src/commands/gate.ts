import type { Gate, GateStatus } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { UsageError } from "../failure.ts";
import { jsonForm, jsonOf, objectOf } from "../json-option.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { block, clip, fields, table } from "../text.ts";
import { when } from "../time.ts";

const statuses = ["open", "answered", "expired", "cancelled", "all"] as const;
const decisions = ["continue", "retry", "abort"] as const;

export function addGate(program: Command, host: CommandHost): void {
  const gate = addGroup(program, "gate", "Questions that runs put to people");
  pageOptions(addCommand(gate, host, "list", "List gates, newest first", list))
    .addOption(new Option("--status <status>", "only these").choices(statuses).default("open"))
    .option("--run <id>", "only of this run");
  addCommand(gate, host, "show <id>", "Show what is asked, and what it is about", show);
  addCommand(
    gate,
    host,
    "answer <id> <decision>",
    "Answer: continue, retry or abort; the answer is signed",
    answer,
  )
    .option("--edits <json>", `with retry: changes to the step's input, ${jsonForm}`)
    .option("--output <json>", `with continue: the output in place of the step's own, ${jsonForm}`)
    .option("--note <text>", "why; it is recorded");
}

async function list(
  session: Session,
  options: PageOptions & { status: GateStatus | "all"; run?: string },
): Promise<void> {
  const status = options.status === "all" ? undefined : options.status;
  const page = await (await session.client()).gates
    .list({ ...pageOf(options), status, run: options.run })
    .page();
  session.show(page, () =>
    page.items.length === 0
      ? status === "open"
        ? "No run asks anything.\n"
        : "There are no such gates.\n"
      : table([
          ["gate", "status", "flow", "step", "question", "until"],
          ...page.items.map((g) => [
            g.id,
            g.status,
            g.flow,
            stepOf(g),
            clip(g.question, 60),
            when(g.dueAt, session.now()) ?? "",
          ]),
        ]) + more(page),
  );
}

const stepOf = ({ step, item }: Gate): string => (item === null ? step : `${step}[${item}]`);

async function show(session: Session, _options: object, id: string): Promise<void> {
  const gate = await (await session.client()).gates.get(id);
  session.show(gate, () => render(gate, session.now()));
}

function render(gate: Gate, now: Date): string {
  const head = fields([
    ["gate", gate.id],
    ["question", gate.question],
    ["status", gate.status],
    ["run", `${gate.runId}, ${gate.flow} ${gate.version}`],
    ["step", stepOf(gate)],
    [
      "may answer",
      `${gate.approvers.join(" or ")}${gate.excludeRequester ? ", not who started the run" : ""}`,
    ],
    ["started by", gate.requestedBy],
    ["asked", when(gate.createdAt, now)],
    [
      "until",
      gate.dueAt === null ? null : `${when(gate.dueAt, now)}, then ${gate.default ?? "the step fails"}`,
    ],
    ["decision", gate.decision],
    ["by", gate.answeredBy],
    ["answered", when(gate.answeredAt, now)],
    ["note", gate.note],
  ]);
  const next =
    gate.status === "open" ? `\nAnswer: oars gate answer ${gate.id} ${gate.options.join("|")}\n` : "";
  return head + block("output", gate.output) + block("edited output", gate.editedOutput) + next;
}

interface AnswerOptions {
  readonly edits?: string;
  readonly output?: string;
  readonly note?: string;
}

async function answer(session: Session, options: AnswerOptions, id: string, given: string): Promise<void> {
  const decision = decisions.find((d) => d === given);
  if (decision === undefined)
    throw new UsageError(`The answer is one of ${decisions.join(", ")}, not ${given}.`);
  if (options.edits !== undefined && decision !== "retry") throw new UsageError("--edits goes with retry.");
  if (options.output !== undefined && decision !== "continue")
    throw new UsageError("--output goes with continue.");
  const client = await session.client();
  const gate = await client.gates.answer(id, {
    decision,
    ...(options.edits === undefined ? {} : { edits: await objectOf(session, options.edits, "--edits") }),
    ...(options.output === undefined ? {} : { output: await jsonOf(session, options.output, "--output") }),
    ...(options.note === undefined ? {} : { note: options.note }),
  });
  session.show(gate, () => `The answer is ${gate.decision}.\nTry next: oars run watch ${gate.runId}\n`);
}
