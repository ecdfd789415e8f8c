import type { ActionDetail, ActionState, ResolveActionRequest, SubmitActionRequest } from "@oars/sdk";
import { type Command, Option } from "commander";
import {
  addCommand,
  addGroup,
  type CommandHost,
  collect,
  type PageOptions,
  pageOf,
  pageOptions,
} from "../command.ts";
import { UsageError } from "../failure.ts";
import { jsonForm, objectOf } from "../json-option.ts";
import { more } from "../paging.ts";
import { renderError } from "../run-text.ts";
import type { Session } from "../session.ts";
import { block, clip, fields, table } from "../text.ts";
import { durationMs, took, when } from "../time.ts";

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
  addCommand(action, host, "submit <tool>", "Propose an action of a tool, as in wms/http.request", submit)
    .option("--input <json>", `the arguments, ${jsonForm}`, "{}")
    .option("--wait <duration>", "wait for the outcome that long, also of a held action, 60s at most")
    .option("--no-wait", "do not wait for the outcome")
    .option("--agent <name>", "act as this agent, which is yours")
    .option("--user <name>", "act for this person")
    .option("--environment <name>", "refuse it unless the tool is of this environment")
    .option("--data-type <name>", "what it also touches; may be given several times", collect)
    .option("--target <target>", "refuse it unless it acts on this")
    .option("--idempotency-key <key>", "the same key again gives the first answer again");
  pageOptions(addCommand(action, host, "list", "List actions, newest first", list))
    .addOption(new Option("--state <state>", "only these").choices(states))
    .option("--run <id>", "only of this run")
    .option("--tool <tool>", "only of this tool, as in wms/http.request")
    .option("--operation <operation>", "only of this operation, of any connection")
    .option("--agent <id>", "only of this principal")
    .option("--actor <id>", "only by or for this person")
    .option("--target <target>", "only on exactly this")
    .option("--policy-version <version>", "only decided by this version of the policy")
    .option("--rule <id>", "only determined by this policy")
    .option("--from <time>", "proposed from then on, as in 2026-01-05T00:00:00Z")
    .option("--to <time>", "proposed before then")
    .option("--text <text>", "in target, tool, step, error or decision");
  addCommand(action, host, "show <id>", "Show an action, its decision and what happened to it", show);
  addCommand(action, host, "cancel <id>", "Call an action off that has not been sent", cancel).option(
    "--reason <text>",
    "why; it is recorded",
  );
  addCommand(action, host, "release <id>", "Let a quarantined action go on", judge("release")).requiredOption(
    "--reason <text>",
    "why; it is recorded",
  );
  addCommand(action, host, "reject <id>", "End a quarantined action", judge("reject")).requiredOption(
    "--reason <text>",
    "why; it is recorded",
  );
  addCommand(action, host, "resolve <id>", "Say what became of an action in doubt", resolve)
    .addOption(
      new Option("--outcome <outcome>", "what you found out; retry sends it again under the same key")
        .choices(["completed", "failed", "retry"])
        .makeOptionMandatory(),
    )
    .requiredOption("--reason <text>", "how you found out; it is recorded");
}

interface SubmitOptions {
  readonly input: string;
  /** False: `--no-wait`. */
  readonly wait?: string | boolean;
  readonly agent?: string;
  readonly user?: string;
  readonly environment?: string;
  readonly dataType?: readonly string[];
  readonly target?: string;
  readonly idempotencyKey?: string;
}

/** Exit code 1 unless it is completed or goes on. */
async function submit(session: Session, options: SubmitOptions, tool: string): Promise<number> {
  const { idempotencyKey } = options;
  const waitSeconds = waitOf(options.wait);
  const request = await requestOf(session, options, tool);
  const done = await (await session.client()).actions.submit(request, { idempotencyKey, waitSeconds });
  const { state } = done;
  const why = done.error
    ? `: ${renderError(done.error)}`
    : state === "completed"
      ? ""
      : `: ${done.decision.message}`;
  const goesOn = ["executing", "pending_approval", "quarantined", "in_doubt"].includes(state);
  const next = goesOn ? `Try next: oars action show ${done.id}\n` : "";
  session.show(done, () => `Action ${done.id} is ${state}${why}\n${block("output", done.output)}${next}`);
  return state === "completed" || goesOn ? 0 : 1;
}

async function requestOf(
  session: Session,
  options: SubmitOptions,
  tool: string,
): Promise<SubmitActionRequest> {
  const [connection = "", operation = "", ...rest] = tool.split("/");
  if (connection === "" || operation === "" || rest.length > 0) {
    throw new UsageError(
      `${JSON.stringify(tool)} is no tool: give CONNECTION/OPERATION, as in wms/http.request.`,
    );
  }
  const { agent, user, environment, dataType, target } = options;
  const about = {
    input: await objectOf(session, options.input, "--input"),
    ...(agent === undefined ? {} : { agentId: agent }),
    ...(user === undefined ? {} : { userContext: { userId: user } }),
    ...(environment === undefined && dataType === undefined
      ? {}
      : {
          context: {
            ...(environment === undefined ? {} : { environment }),
            ...(dataType === undefined ? {} : { dataTypes: [...dataType] }),
          },
        }),
  };
  return target === undefined
    ? { connection, operation, ...about }
    : { resource: { toolId: tool, operation, target }, ...about };
}

/** Seconds; undefined: as long as the action may take. */
function waitOf(wait: SubmitOptions["wait"]): number | undefined {
  if (typeof wait !== "string") return wait === false ? 0 : undefined;
  const ms = durationMs(wait);
  if (ms === undefined) throw new UsageError(`--wait must be a duration such as 30s, not ${wait}.`);
  return ms / 1_000;
}

interface ListOptions extends PageOptions {
  readonly state?: ActionState;
  readonly run?: string;
  readonly tool?: string;
  readonly operation?: string;
  readonly agent?: string;
  readonly actor?: string;
  readonly target?: string;
  readonly policyVersion?: string;
  readonly rule?: string;
  readonly from?: string;
  readonly to?: string;
  readonly text?: string;
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const {
    limit: _limit,
    cursor: _cursor,
    json: _json,
    ...filter
  } = options as ListOptions & { json?: boolean };
  const page = await (await session.client()).actions.list({ ...pageOf(options), ...filter }).page();
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

function render(action: ActionDetail, now: Date): string {
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
    ["requested for", action.requestedFor],
    ["submitted by", action.submittedBy],
    ["attempt", String(action.attempt)],
    ["created", when(action.createdAt, now)],
    ["ended", when(action.endedAt, now)],
    ["took", took(action.startedAt, action.endedAt)],
    ["sent key", action.effectKey],
    ["digest", action.digest],
  ]);
  const happened = table([
    ["when", "what", "by", "receipt"],
    ...action.timeline.map((entry) => [
      entry.at,
      [entry.event, entry.effect, entry.outcome, entry.code].filter(Boolean).join(" "),
      entry.by ?? "",
      entry.receiptId ?? "",
    ]),
  ]);
  const facts = Object.keys(action.facts).length > 0 ? action.facts : null;
  const next =
    action.state === "in_doubt"
      ? `\nLook whether it was done, then: oars action resolve ${action.id} --outcome OUTCOME --reason TEXT\n`
      : action.state === "quarantined"
        ? `\nLook at it, then: oars action release ${action.id} --reason TEXT, or oars action reject\n`
        : "";
  const output = action.outputWithheld
    ? "\noutput\n  is for who asked for the action, and for holders of actions:outputs\n"
    : block("output", action.output);
  return `${head}\n${happened}${block("facts", facts)}${block("input", action.input)}${output}${next}`;
}

async function cancel(session: Session, { reason }: { readonly reason?: string }, id: string): Promise<void> {
  const request = reason === undefined ? {} : { reason };
  const action = await (await session.client()).actions.cancel(id, request);
  session.show(action, () => `Action ${action.id} is ${action.state}.\n`);
}

const judge =
  (how: "release" | "reject") =>
  async (session: Session, { reason }: { readonly reason: string }, id: string): Promise<void> => {
    const action = await (await session.client()).actions[how](id, { reason });
    session.show(action, () => `Action ${action.id} is ${action.state}.\n`);
  };

async function resolve(session: Session, options: ResolveActionRequest, id: string): Promise<void> {
  const { outcome, reason } = options;
  const action = await (await session.client()).actions.resolve(id, { outcome, reason });
  session.show(action, () => `Action ${action.id} is ${action.state}.\n`);
}
