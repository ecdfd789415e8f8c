import type { DeadLetter } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { clip, fields, table } from "../text.ts";
import { when } from "../time.ts";

export function addSiem(program: Command, host: CommandHost): void {
  const siem = addGroup(program, "siem", "Delivery of security events and alerts to other systems");
  addCommand(siem, host, "status", "Show each target: what waits for it, what failed", status);
  addCommand(siem, host, "test <target>", "Send a sample to a target or channel", test);
  addCommand(siem, host, "pause <target>", "Send nothing to a target; what comes is queued", pause);
  addCommand(siem, host, "resume <target>", "Send to a target again", resume);
  addCommand(siem, host, "flush", "Send now what waits for its next attempt", flush);
  pageOptions(
    addCommand(siem, host, "dead-letters", "List what was given up, newest first", deadLetters),
  ).addOption(new Option("--state <state>").choices(["open", "replayed", "resolved"]));
  addCommand(siem, host, "replay <dead-letter>", "Queue a dead letter again", replay);
  addCommand(siem, host, "resolve <dead-letter>", "Close a dead letter unsent", resolve).requiredOption(
    "--reason <text>",
  );
}

async function status(session: Session): Promise<void> {
  const all = await (await session.client()).delivery.status();
  const now = session.now();
  session.show(all, () =>
    all.targets.length === 0
      ? "There are no targets: make one with PUT /v1/delivery-targets/:name.\n"
      : table([
          [
            "target",
            "for",
            "kind",
            "state",
            "queued",
            "delivered",
            "failed",
            "dead",
            "last success",
            "last error",
          ],
          ...all.targets.map((t) => [
            t.name,
            t.purpose,
            t.kind,
            t.circuit === "open" ? `${t.state}, left alone` : t.state,
            String(t.queued),
            String(t.delivered),
            String(t.failed),
            String(t.openDeadLetters),
            when(t.lastSuccessAt, now) ?? "never",
            clip(t.lastError ?? "", 60),
          ]),
        ]),
  );
}

async function test(session: Session, _options: object, name: string): Promise<number> {
  const result = await (await session.client()).delivery.test(name);
  session.show(result, () => `${result.ok ? "ok" : "refused"} after ${result.ms} ms: ${result.message}\n`);
  return result.ok ? 0 : 1;
}

async function pause(session: Session, _options: object, name: string): Promise<void> {
  const target = await (await session.client()).delivery.pause(name);
  session.show(target, () => `${target.name} is ${target.state}.\n`);
}

async function resume(session: Session, _options: object, name: string): Promise<void> {
  const target = await (await session.client()).delivery.resume(name);
  session.show(target, () => `${target.name} is ${target.state}.\n`);
}

async function flush(session: Session): Promise<void> {
  const { due } = await (await session.client()).delivery.flush();
  session.show({ due }, () => `${due} are due now.\n`);
}

async function deadLetters(
  session: Session,
  options: PageOptions & Partial<Pick<DeadLetter, "state">>,
): Promise<void> {
  const { state } = options;
  const page = await (await session.client()).delivery.deadLetters({ ...pageOf(options), state }).page();
  const now = session.now();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no such dead letters.\n"
      : table([
          ["dead letter", "target", "subject", "state", "attempts", "given up", "error"],
          ...page.items.map((l) => [
            l.id,
            l.target ?? "gone",
            l.subject,
            l.state,
            String(l.attempts),
            when(l.failedAt, now) ?? "",
            clip(l.lastError, 60),
          ]),
        ]) + more(page),
  );
}

const told = (session: Session, l: DeadLetter): void =>
  session.show(l, () =>
    fields([
      ["dead letter", l.id],
      ["target", l.target ?? "gone"],
      ["state", l.state],
      ["replays", String(l.replayCount)],
      ["error", l.lastError],
    ]),
  );

async function replay(session: Session, _options: object, id: string): Promise<void> {
  told(session, await (await session.client()).delivery.replay(id));
}

async function resolve(session: Session, options: { reason: string }, id: string): Promise<void> {
  told(session, await (await session.client()).delivery.resolve(id, options.reason));
}
