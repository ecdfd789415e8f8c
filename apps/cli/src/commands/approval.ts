import type { Approval, ApprovalDetail, ApprovalState } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { block, clip, fields, table } from "../text.ts";
import { when } from "../time.ts";
import { addApprovalTalk } from "./approval-talk.ts";

const states = ["pending", "approved", "rejected", "expired", "cancelled", "consumed", "all"] as const;

export function addApproval(program: Command, host: CommandHost): void {
  const approval = addGroup(program, "approval", "Actions that wait for a person");
  pageOptions(addCommand(approval, host, "list", "List approvals, newest first", list))
    .addOption(new Option("--state <state>", "only these").choices(states).default("pending"))
    .option("--mine", "only what you may vote on now")
    .option("--tool <tool>", "only of this tool")
    .option("--due-before <time>", "only what expires or is escalated before then")
    .option("--to-review", "only where the glass was broken and nobody has reviewed it");
  addCommand(approval, host, "show <id>", "Show what is asked, of whom, and the votes", show);
  for (const parent of [program, approval]) {
    voteOptions(
      addCommand(parent, host, "approve <id>", "Approve an action; the vote is signed", vote("approve")),
    );
    voteOptions(
      addCommand(parent, host, "reject <id>", "Reject an action; the vote is signed", vote("reject")),
    );
  }
  addApprovalTalk(approval, host);
}

const voteOptions = (command: Command): Command =>
  command
    .requiredOption("--reason <text>", "why; it is recorded")
    .option("--code <code>", "a code of your second factor, where one is asked for");

async function list(
  session: Session,
  options: PageOptions & {
    state: ApprovalState | "all";
    mine?: boolean;
    tool?: string;
    dueBefore?: string;
    toReview?: boolean;
  },
): Promise<void> {
  const { mine, tool, dueBefore, toReview } = options;
  const state = options.state === "all" || toReview ? undefined : options.state;
  const filter = {
    ...pageOf(options),
    state,
    tool,
    dueBefore,
    mine: mine ? ("true" as const) : undefined,
    review: toReview ? ("open" as const) : undefined,
  };
  const page = await (await session.client()).approvals.list(filter).page();
  session.show(page, () =>
    page.items.length === 0
      ? state === "pending"
        ? "Nothing waits for a person.\n"
        : "There are no such approvals.\n"
      : table([
          ["approval", "state", "tool", "target", "needs", "expires"],
          ...page.items.map((a) => [
            a.id,
            a.state,
            a.subject.tool,
            clip(a.subject.target, 60),
            needsOf(a),
            when(a.expiresAt, session.now()) ?? "",
          ]),
        ]) + more(page),
  );
}

const needsOf = ({ requirements }: Approval): string =>
  requirements.map(({ role, quorum }) => `${quorum} ${role}`).join(" and ");

async function show(session: Session, _options: object, id: string): Promise<void> {
  const approval = await (await session.client()).approvals.get(id);
  session.show(approval, () => render(approval, session.now()));
}

function render(approval: ApprovalDetail, now: Date): string {
  const { subject, votes } = approval;
  const head = fields([
    ["approval", approval.id],
    ["state", approval.state],
    ["why", approval.reason],
    ["needs", needsOf(approval)],
    ["tool", subject.tool],
    ["target", subject.target],
    ["environment", `${subject.environment}, risk ${subject.risk}`],
    ["policies", subject.rules.join(", ")],
    ["stage", approval.approvalProgress.currentStageName],
    ["confirm with", approval.stepUp],
    ["requested by", `${approval.requestedByName} ${approval.requestedBy}`],
    ["for", approval.chain.length > 1 ? approval.chain.map((link) => link.name).join(" → ") : null],
    ["earlier decisions", approval.earlier.map((e) => e.state).join(", ")],
    [
      "glass broken by",
      approval.override && `${approval.override.byName}: ${clip(approval.override.reason, 80)}`,
    ],
    ["review", approval.review && `${approval.review.verdict}, by ${approval.review.byName}`],
    ["action", approval.actionId],
    [
      "run",
      subject.runId === null
        ? null
        : `${subject.runId}${subject.step === null ? "" : `, step ${subject.step}`}`,
    ],
    ["created", when(approval.createdAt, now)],
    ["expires", when(approval.expiresAt, now)],
    ["resolved", when(approval.resolvedAt, now)],
    ["digest", approval.actionDigest],
  ]);
  const votesText =
    votes.length === 0
      ? ""
      : `\n${table([
          ["vote", "by", "roles", "at", "reason"],
          ...votes.map((v) => [
            v.decision,
            v.principalName,
            v.roles.join(" "),
            when(v.at, now) ?? "",
            clip(v.reason, 80),
          ]),
        ])}`;
  const next =
    approval.state === "pending"
      ? `\nDecide: oars approve ${approval.id} --reason TEXT, or oars reject …\n`
      : "";
  return (
    head +
    block("facts", Object.keys(subject.facts).length > 0 ? subject.facts : null) +
    block("arguments", approval.arguments ?? null) +
    block("changed since the last try", approval.changes?.differences ?? null) +
    votesText +
    next
  );
}

const vote =
  (decision: "approve" | "reject") =>
  async (session: Session, options: { reason: string; code?: string }, id: string): Promise<void> => {
    const client = await session.client();
    const approval = await client.approvals.decide(id, {
      decision,
      reason: options.reason,
      ...(options.code === undefined ? {} : { stepUpCode: options.code }),
    });
    session.show(approval, () =>
      [
        `Your vote counts; the approval is ${approval.state}.`,
        approval.state === "pending"
          ? `It still needs ${needsOf(approval)}, of whom ${approval.votes.length} voted.`
          : "",
        approval.subject.runId === null ? "" : `Try next: oars run watch ${approval.subject.runId}`,
      ]
        .filter((line) => line !== "")
        .map((line) => `${line}\n`)
        .join(""),
    );
  };
