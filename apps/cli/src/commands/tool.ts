import type { Tool } from "@oars/sdk";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { block, fields, table } from "../text.ts";
import { when } from "../time.ts";

export function addTool(program: Command, host: CommandHost): void {
  const tool = addGroup(program, "tool", "Tools: what there is to act with").alias("tools");
  pageOptions(addCommand(tool, host, "list", "List tools, by name", list))
    .addOption(new Option("--status <status>", "only these").choices(["active", "changed"]))
    .option("--connection <name>", "only of this connection")
    .option("--text <text>", "in the name, the title or the description");
  addCommand(tool, host, "show <name>", "Show a tool, as in wms/http.request, with its arguments", show);
  addCommand(tool, host, "review <name>", "Accept a tool that changed, as it is now", review)
    .requiredOption("--digest <digest>", "the definition that you looked at, from: oars tool show NAME")
    .option("--reason <text>", "why; it is recorded");
}

interface ListOptions extends PageOptions {
  readonly status?: Tool["status"];
  readonly connection?: string;
  readonly text?: string;
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { status, connection, text } = options;
  const query = { ...pageOf(options), status, connection, text };
  const page = await (await session.client()).tools.list(query).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no such tools. They come with connections: oars connection put FILE\n"
      : table([
          ["tool", "verbs", "risk", "environment", "status", "allowed"],
          ...page.items.map((one) => [
            one.name,
            one.verbs.join(" "),
            String(one.risk),
            one.environment,
            one.status,
            one.allowed ? "yes" : "no",
          ]),
        ]) + more(page),
  );
}

async function show(session: Session, _options: object, name: string): Promise<void> {
  const found = await (await session.client()).tools.get(name);
  session.show(found, () => render(found, session.now()));
}

function render(tool: Tool, now: Date): string {
  const flags = [tool.destructive && "destructive", tool.openWorld && "open world"]
    .filter(Boolean)
    .join(", ");
  const head = fields([
    ["tool", tool.name],
    ["what it does", tool.description],
    ["status", tool.status === "changed" ? "changed: quarantined until it is reviewed" : tool.status],
    ["allowed", tool.allowed ? "yes" : "no: not among the tools that the tenant may use"],
    ["verbs", tool.verbs.join(" ")],
    ["risk", String(tool.risk)],
    ["data types", tool.dataTypes.join(", ")],
    ["environment", tool.environment],
    ["flags", flags],
    ["removed from outputs", tool.overrides.redact.join(", ")],
    ["outputs for", tool.overrides.outputs === "requester" ? "who asked" : "all who read actions"],
    ["reviewed", when(tool.reviewedAt, now)],
    ["reason", tool.reason],
    ["digest", tool.digest],
  ]);
  const next =
    tool.status === "changed"
      ? `\nCompare it with what you expect, then: oars tool review ${tool.name} --digest ${tool.digest}\n`
      : "";
  return head + block("arguments", tool.inputSchema) + next;
}

async function review(
  session: Session,
  { digest, reason }: { readonly digest: string; readonly reason?: string },
  name: string,
): Promise<void> {
  const request = reason === undefined ? { digest } : { digest, reason };
  const reviewed = await (await session.client()).tools.review(name, request);
  session.show(reviewed, () => `Tool ${reviewed.name} is ${reviewed.status}.\n`);
}
