import type { Action, ActionState, ResolveActionRequest } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { more } from "../paging.ts";
import { renderError } from "../run-text.ts";
import type { Session } from "../session.ts";
import { block, clip, fields, table } from "../text.ts";
import { took, when } from "../time.ts";

const states = [
  "proposed",
  "denied",
  "quarantined",
  "pending_approval",
  "approved",
  "executing",
  "completed",
  "failed",
  "in_doubt",
  "rejected",
  "expired",
  "cancelled",
] as const satisfies readonly ActionState[];

export function addAction(program: Command, host: CommandHost): void {
  const action = addGroup(program, "action", "Actions: what runs and agents do outside");
  pageOptions(addCommand(action, host, "list", "List actions, newest first", list))
    .addOption(new Option("--state <state>", "only these").choices(states))
    .option("--run <id>", "only of this run")
    .option("--tool <tool>", "only of this tool, as in wms/http.request");
  addCommand(action, host, "show <id>", "Show an action, its decision and its outcome", show);
  addCommand(action, host, "resolve <id>", "Say what became of an action in doubt", resolve)
    .addOption(
      new Option("--outcome <outcome>", "what you found out; retry sends it again under the same key")
        .choices(["completed", "failed", "retry"])
        .makeOptionMandatory(),
    )
    .requiredOption("--reason <text>", "how you found out; it is recorded");
}

interface ListOptions extends PageOptions {
  readonly state?: ActionState;
  readonly run?: string;
  readonly tool?: string;
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { state, run, tool } = options;
  const page = await (await session.client()).actions.list({ ...pageOf(options), state, run, tool }).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no such actions.\n"
      : table([
          ["action", "state", "tool", "target", "created"],
          ...page.items.map((a) => [
            a.id,
            a.state,
            a.tool,
            clip(a.target, 60),
            when(a.createdAt, session.now()) ?? "",
          ]),
        ]) + more(page),
  );
}

async function show(session: Session, _options: object, id: string): Promise<void> {
  const action = await (await session.client()).actions.get(id);
  session.show(action, () => render(action, session.now()));
}

function render(action: Action, now: Date): string {
  const { decision } = action;
  const head = fields([
    ["action", action.id],
    ["state", action.state],
    ["tool", `${action.tool} (${action.verb})`],
    ["target", action.target],
    ["environment", action.environment],
    ["decision", `${decision.effect}: ${decision.message}`],
    ["policies", decision.reasons.join(", ")],
    ["error", action.error ? renderError(action.error) : null],
    ["HTTP status", action.httpStatus === null ? null : String(action.httpStatus)],
    ["approval", action.approvalId],
    [
      "run",
      action.runId === null ? null : `${action.runId}${action.step === null ? "" : `, step ${action.step}`}`,
    ],
    ["requested by", action.requestedBy],
    ["attempt", String(action.attempt)],
    ["created", when(action.createdAt, now)],
    ["ended", when(action.endedAt, now)],
    ["took", took(action.startedAt, action.endedAt)],
    ["sent key", action.effectKey],
    ["digest", action.digest],
  ]);
  const facts = Object.keys(action.facts).length > 0 ? action.facts : null;
  const next =
    action.state === "in_doubt"
      ? `\nLook whether it was done, then: oars action resolve ${action.id} --outcome OUTCOME --reason TEXT\n`
      : "";
  return head + block("facts", facts) + block("input", action.input) + block("output", action.output) + next;
}

async function resolve(session: Session, options: ResolveActionRequest, id: string): Promise<void> {
  const { outcome, reason } = options;
  const action = await (await session.client()).actions.resolve(id, { outcome, reason });
  session.show(action, () => `Action ${action.id} is ${action.state}.\n`);
}
