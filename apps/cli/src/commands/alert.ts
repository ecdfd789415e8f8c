import type { Alert, AlertDetail } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { clip, fields, table } from "../text.ts";
import { when } from "../time.ts";

export function addAlert(program: Command, host: CommandHost): void {
  const alert = addGroup(program, "alert", "What people should look at");
  pageOptions(addCommand(alert, host, "list", "List alerts, newest first", list))
    .addOption(new Option("--state <state>").choices(["open", "acknowledged", "resolved"]))
    .addOption(new Option("--severity <severity>").choices(["low", "medium", "high", "critical"]))
    .option("--code <code>", "such as POLICY_DENIED");
  addCommand(alert, host, "show <alert>", "Show an alert: who was told, who answered", show);
  addCommand(
    alert,
    host,
    "ack <alert>",
    "Say that you look after it: it is passed on no further",
    ack,
  ).option("--note <text>");
  addCommand(alert, host, "resolve <alert>", "Say that it is over", resolve).option("--note <text>");
  addCommand(alert, host, "routes", "Show who is told of alerts of each severity", routes);
}

type ListOptions = PageOptions & Pick<Partial<Alert>, "state" | "severity" | "code">;

async function list(session: Session, options: ListOptions): Promise<void> {
  const { state, severity, code } = options;
  const page = await (await session.client()).alerts
    .list({ ...pageOf(options), state, severity, code })
    .page();
  const now = session.now();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no such alerts.\n"
      : table([
          ["alert", "severity", "state", "code", "times", "last", "message"],
          ...page.items.map((a) => [
            a.id,
            a.severity,
            a.state,
            a.code,
            String(a.count),
            when(a.lastAt, now) ?? "",
            clip(a.message, 60),
          ]),
        ]) + more(page),
  );
}

function told(session: Session, a: AlertDetail): void {
  const now = session.now();
  session.show(
    a,
    () =>
      fields([
        ["alert", a.id],
        ["code", a.code],
        ["severity", a.severity],
        ["state", a.state],
        ["message", a.message],
        ["target", a.target === null ? null : `${a.target.kind} ${a.target.id}`],
        ["times", String(a.count)],
        ["opened", when(a.openedAt, now)],
        ["last", when(a.lastAt, now)],
        ["passed on", a.escalateAt === null ? "no further" : when(a.escalateAt, now)],
        ["event", a.eventId],
      ]) +
      (a.history.length === 0
        ? ""
        : `\n${table([
            ["when", "what", "channel", "note"],
            ...a.history.map((e) => [when(e.at, now) ?? "", e.kind, e.channel ?? "", clip(e.note ?? "", 60)]),
          ])}`),
  );
}

interface Answer {
  readonly note?: string;
}
const answerOf = ({ note }: Answer): Answer => (note === undefined ? {} : { note });

async function show(session: Session, _options: object, id: string): Promise<void> {
  told(session, await (await session.client()).alerts.get(id));
}

async function ack(session: Session, options: Answer, id: string): Promise<void> {
  told(session, await (await session.client()).alerts.acknowledge(id, answerOf(options)));
}

async function resolve(session: Session, options: Answer, id: string): Promise<void> {
  told(session, await (await session.client()).alerts.resolve(id, answerOf(options)));
}

async function routes(session: Session): Promise<void> {
  const { items } = await (await session.client()).alerts.routes();
  session.show({ items }, () =>
    table([
      ["severity", "channels in order", "at once", "then every", "set"],
      ...items.map((r) => [
        r.severity,
        r.channels.join(", ") || "none",
        String(r.atOnce),
        `${r.escalationMinutes} min`,
        r.stored ? "yes" : "default",
      ]),
    ]),
  );
}
