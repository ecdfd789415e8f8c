import type { PlaceHoldRequest, RetentionRule, SubjectExport } from "@oars/contract";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost } from "../command.ts";
import { UsageError } from "../failure.ts";
import { parseJson, readSource, writeResult } from "../files.ts";
import type { Session } from "../session.ts";
import { table } from "../text.ts";
import { when } from "../time.ts";

export function addPrivacy(program: Command, host: CommandHost): void {
  const privacy = addGroup(
    program,
    "privacy",
    "Legal holds, retention, erasure and exports of people's data",
  );
  addCommand(privacy, host, "holds", "List legal holds, newest first", holds);
  addCommand(
    privacy,
    host,
    "hold [ref]",
    "Place a hold on a run, an action, a person, or with --all on all",
    hold,
  )
    .requiredOption("--reason <text>", "why; kept with the hold")
    .option("--all", "everything of the tenant")
    .option("--subject", "take the reference as a person's");
  addCommand(privacy, host, "release <hold>", "Release a hold", release).requiredOption(
    "--reason <text>",
    "why; it is receipted",
  );
  addCommand(
    privacy,
    host,
    "retention [file]",
    "Show the retention of receipts, or set it from a file of rules",
    retention,
  );
  addCommand(privacy, host, "erase <subject>", "Erase a person for good", erase).option(
    "--yes",
    "it cannot be undone: confirm it",
  );
  addCommand(privacy, host, "export <subject>", "Save what is held about a person", exportSubject).addOption(
    new Option("--out <file>", "where to; standard output when absent"),
  );
}

async function holds(session: Session): Promise<void> {
  const page = await (await session.client()).privacy.holds().page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no holds.\n"
      : table([
          ["hold", "scope", "on", "placed", "released"],
          ...page.items.map((h) => [
            h.id,
            h.scope,
            h.ref ?? "-",
            when(h.placedAt, session.now()) ?? "",
            when(h.releasedAt, session.now()) ?? "-",
          ]),
        ]),
  );
}

function holdOf(
  ref: string | undefined,
  { reason, all, subject }: { reason: string; all?: boolean; subject?: boolean },
): PlaceHoldRequest {
  if (all && ref === undefined) return { scope: "tenant", reason };
  if (all || ref === undefined)
    throw new UsageError("Name a run, an action or a person, or give --all alone.");
  if (subject) return { scope: "subject", subject: ref, reason };
  if (ref.startsWith("run_")) return { scope: "run", run: ref, reason };
  if (ref.startsWith("act_")) return { scope: "action", action: ref, reason };
  return { scope: "subject", subject: ref, reason };
}

async function hold(
  session: Session,
  options: { reason: string; all?: boolean; subject?: boolean },
  ref: string | undefined,
): Promise<void> {
  const placed = await (await session.client()).privacy.placeHold(holdOf(ref, options));
  session.show(placed, () => `${placed.id} holds ${placed.ref ?? "everything of the tenant"}.\n`);
}

async function release(session: Session, options: { reason: string }, id: string): Promise<void> {
  const released = await (await session.client()).privacy.releaseHold(id, options.reason);
  session.show(released, () => `${released.id} is released.\n`);
}

async function retention(session: Session, _options: object, file: string | undefined): Promise<void> {
  const { privacy } = await session.client();
  const given = file === undefined ? undefined : parseJson(await readSource(file, session.terminal), file);
  const { rules } =
    given === undefined
      ? await privacy.retention()
      : await privacy.setRetention((given as { rules: RetentionRule[] }).rules); // the server checks them
  const days = (n: number | null): string => (n === null ? "for ever" : `${n} days`);
  session.show({ rules }, () =>
    rules.length === 0
      ? "Receipts are kept as long as the installation keeps them.\n"
      : table([
          ["type", "text", "sensitive members"],
          ...rules.map((rule) => [rule.type, days(rule.bodyDays), days(rule.disclosureDays)]),
        ]),
  );
}

async function erase(session: Session, options: { yes?: boolean }, subject: string): Promise<void> {
  if (!options.yes) throw new UsageError(`Erasing ${subject} cannot be undone; confirm it with --yes.`);
  const done = await (await session.client()).privacy.erase(subject);
  const { receipts = 0, actions = 0, runs = 0 } = done.counts;
  session.show(
    done,
    () =>
      `${subject} is erased (${done.id}): ${receipts} receipts, ${actions} actions, ${runs} runs emptied.\n`,
  );
}

async function exportSubject(session: Session, options: { out?: string }, subject: string): Promise<void> {
  const { privacy } = await session.client();
  const pages: SubjectExport[] = [];
  for (let cursor: string | undefined; pages.length === 0 || cursor !== undefined; ) {
    const page = await privacy.export(subject, cursor);
    pages.push(page);
    cursor = page.nextCursor ?? undefined;
  }
  const whole = {
    subject,
    receipts: pages.flatMap((page) => page.receipts),
    actions: pages.flatMap((page) => page.actions),
    runs: pages.flatMap((page) => page.runs),
  };
  const text = `${JSON.stringify(whole, null, 2)}\n`;
  if (options.out === undefined) return session.terminal.out(text);
  await writeResult(options.out, text);
  session.show({ subject, file: options.out }, () => `What is held about ${subject} is in ${options.out}.\n`);
}
