import type { SecurityEvent } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { clip, table } from "../text.ts";
import { when } from "../time.ts";

export function addEvent(program: Command, host: CommandHost): void {
  const event = addGroup(program, "event", "Security events: what was refused, and who changed the rules");
  pageOptions(addCommand(event, host, "list", "List security events, newest first", list))
    .option("--type <type>", "such as authorization.denied")
    .addOption(new Option("--severity <severity>").choices(["info", "low", "medium", "high", "critical"]))
    .option("--actor <principal>")
    .option("--source <address>");
}

type ListOptions = PageOptions &
  Pick<Partial<SecurityEvent>, "type" | "severity"> & { readonly actor?: string; readonly source?: string };

async function list(session: Session, options: ListOptions): Promise<void> {
  const { type, severity, actor, source } = options;
  const query = { ...pageOf(options), type, severity, actor, source };
  const page = await (await session.client()).securityEvents.list(query as never).page(); // ids are checked by the server
  const now = session.now();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no such events.\n"
      : table([
          ["last", "severity", "type", "times", "who", "from", "what"],
          ...page.items.map((e) => [
            when(e.lastAt, now) ?? "",
            e.severity,
            e.type,
            String(e.count),
            e.actor?.name ?? "",
            e.source ?? "",
            clip(e.target === null ? e.message : `${e.target.kind} ${e.target.id}`, 60),
          ]),
        ]) + more(page),
  );
}
