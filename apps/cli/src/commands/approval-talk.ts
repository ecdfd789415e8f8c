import type { Delegation } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { clip, table } from "../text.ts";
import { when } from "../time.ts";

/** What is done about approvals besides voting. */
export function addApprovalTalk(approval: Command, host: CommandHost): void {
  addCommand(approval, host, "comment <id> <text>", "Comment on an approval", comment);
  pageOptions(addCommand(approval, host, "comments <id>", "Show the comments, oldest first", comments));
  addCommand(approval, host, "delegate <principal>", "Lend your right to vote for a time", delegate)
    .requiredOption("--until <time>", "when it ends, such as 2026-01-05T18:00:00Z; at most 30 days away")
    .requiredOption("--reason <text>", "why; it is recorded")
    .option("--approval <id>", "for this approval alone")
    .option("--from <principal>", "another person's right; needs approvals:manage");
  pageOptions(addCommand(approval, host, "delegations", "List delegations, newest first", delegations));
  addCommand(approval, host, "withdraw <delegation>", "Withdraw a delegation", withdraw);
  addCommand(
    approval,
    host,
    "break-glass <id>",
    "Run a held action without its votes, in an emergency",
    breakGlass,
  )
    .requiredOption("--reason <text>", "why, in ten characters or more; it is recorded and told")
    .option("--code <code>", "a code of your second factor, where one is asked for");
  addCommand(approval, host, "review <id>", "Review a broken glass", review)
    .addOption(
      new Option("--verdict <verdict>", "what you found")
        .choices(["justified", "unjustified"])
        .makeOptionMandatory(),
    )
    .requiredOption("--comment <text>", "why; it is recorded");
  addCommand(approval, host, "link <id>", "Make a link to an approval for mail or chat", link);
}

async function comment(session: Session, _options: object, id: string, text: string): Promise<void> {
  const made = await (await session.client()).approvals.comment(id, text);
  session.show(made, () => "Your comment is there.\n");
}

async function comments(session: Session, options: PageOptions, id: string): Promise<void> {
  const page = await (await session.client()).approvals.comments(id, pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0
      ? "Nobody has commented.\n"
      : table([
          ["by", "at", "comment"],
          ...page.items.map((c) => [c.byName, when(c.at, session.now()) ?? "", clip(c.text, 100)]),
        ]) + more(page),
  );
}

async function delegate(
  session: Session,
  options: { until: string; reason: string; approval?: string; from?: string },
  to: string,
): Promise<void> {
  const { until, reason, approval, from } = options;
  const request = {
    to,
    endsAt: until,
    reason,
    ...(approval === undefined ? {} : { approvalId: approval }),
    ...(from === undefined ? {} : { from }),
  };
  const made = await (await session.client()).delegations.create(request as never); // the server checks the ids
  session.show(
    made,
    () => `${made.toName} may vote for ${made.fromName} until ${when(made.endsAt, session.now())}.\n`,
  );
}

async function delegations(session: Session, options: PageOptions): Promise<void> {
  const page = await (await session.client()).delegations.list(pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0
      ? "Nobody has lent a right to vote. Lend yours: oars approval delegate PRINCIPAL --until TIME --reason TEXT\n"
      : table([
          ["delegation", "from", "to", "for", "until", "state"],
          ...page.items.map((d) => [
            d.id,
            d.fromName,
            d.toName,
            d.approvalId ?? "every approval",
            when(d.endsAt, session.now()) ?? "",
            stateOf(d, session.now()),
          ]),
        ]) + more(page),
  );
}

const stateOf = (d: Delegation, now: Date): string =>
  d.revokedAt !== null ? "withdrawn" : new Date(d.endsAt) <= now ? "over" : "lent";

async function withdraw(session: Session, _options: object, id: string): Promise<void> {
  const gone = await (await session.client()).delegations.revoke(id);
  session.show(gone, () => `${gone.toName} no longer votes for ${gone.fromName}.\n`);
}

async function breakGlass(
  session: Session,
  { reason, code }: { reason: string; code?: string },
  id: string,
): Promise<void> {
  const proof = code === undefined ? {} : { stepUpCode: code };
  const done = await (await session.client()).approvals.breakGlass(id, { reason, ...proof });
  session.show(
    done,
    () =>
      `The glass is broken; the approval is ${done.state}. It is recorded and told, and another person must review it:\n  oars approval review ${done.id} --verdict justified --comment TEXT\n`,
  );
}

async function review(
  session: Session,
  { verdict, comment: found }: { verdict: "justified" | "unjustified"; comment: string },
  id: string,
): Promise<void> {
  const done = await (await session.client()).approvals.review(id, { verdict, comment: found });
  session.show(done, () => `Reviewed: ${verdict}.\n`);
}

async function link(session: Session, _options: object, id: string): Promise<void> {
  const made = await (await session.client()).approvals.link(id);
  session.show(
    made,
    () =>
      `${made.url}\nIt gives no right: whoever opens it signs in. It ends ${when(made.expiresAt, session.now())}.\n`,
  );
}
