import type { ApprovalWorkflow, PutApprovalWorkflowRequest } from "@oars/sdk";
import type { Command } from "commander";
import {
  addCommand,
  addGroup,
  type CommandHost,
  type PageOptions,
  pageOf,
  pageOptions,
  wholeNumber,
} from "../command.ts";
import { parseJsonObject, readSource } from "../files.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { clip, fields, table } from "../text.ts";
import { when } from "../time.ts";

export function addWorkflow(program: Command, host: CommandHost): void {
  const workflow = addGroup(program, "workflow", "Approval workflows: who must approve, in which order");
  pageOptions(addCommand(workflow, host, "list", "List workflows by name", list));
  addCommand(workflow, host, "show <name>", "Show a workflow", show).option(
    "--version <n>",
    "an earlier version",
    wholeNumber(1, 999_999),
  );
  addCommand(workflow, host, "put <name> <file>", "Make a workflow, or its next version", put).option(
    "--if-version <n>",
    "only if this is the version now; 0 for none",
    wholeNumber(0, 999_999),
  );
  addCommand(workflow, host, "retire <name>", "Retire a workflow; approvals under way go on", retire);
  addCommand(workflow, host, "settings [file]", "Show the tenant's approval settings, or set them", settings);
}

async function list(session: Session, options: PageOptions): Promise<void> {
  const page = await (await session.client()).approvalWorkflows.list(pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no workflows. Make one: oars workflow put NAME FILE.json\n"
      : table([
          ["workflow", "version", "stages", "description"],
          ...page.items.map((w) => [
            w.name,
            String(w.version),
            w.stages.map((s) => s.name).join(", "),
            clip(w.description, 60),
          ]),
        ]) + more(page),
  );
}

async function show(session: Session, options: { version?: number }, name: string): Promise<void> {
  const { version } = options;
  const found = await (await session.client()).approvalWorkflows.get(
    name,
    version === undefined ? {} : { version },
  );
  session.show(found, () => render(found, session.now()));
}

const render = (w: ApprovalWorkflow, now: Date): string =>
  fields([
    ["workflow", w.name],
    ["version", String(w.version)],
    ["description", w.description],
    ["made", when(w.createdAt, now)],
    ["retired", when(w.retiredAt, now)],
  ]) +
  table([
    ["stage", "opens", "votes", "by", "overdue after", "then also"],
    ...w.stages.map((s) => [
      s.name,
      s.alongside ? "with the one before" : "in order",
      String(s.requiredApprovals),
      s.approvers.length === 0 ? "anyone who may decide" : s.approvers.join(" "),
      s.slaSeconds === null ? "" : `${s.slaSeconds} s`,
      s.escalateTo.join(" "),
    ]),
  ]);

async function put(
  session: Session,
  { ifVersion }: { ifVersion?: number },
  name: string,
  file: string,
): Promise<void> {
  const body = parseJsonObject(await readSource(file, session.terminal), file);
  const request = body as unknown as PutApprovalWorkflowRequest; // the server checks it and names every problem
  const done = await (await session.client()).approvalWorkflows.put(name, request, { ifVersion });
  session.show(
    done,
    () =>
      `${done.name} is at version ${done.version}. Policies ask for it with @require_approval("workflow:${done.name}").\n`,
  );
}

async function retire(session: Session, _options: object, name: string): Promise<void> {
  const gone = await (await session.client()).approvalWorkflows.retire(name);
  session.show(gone, () => `${gone.name} is retired.\n`);
}

async function settings(session: Session, _options: object, file?: string): Promise<void> {
  const client = await session.client();
  const found =
    file === undefined
      ? await client.approvalWorkflows.settings()
      : await client.approvalWorkflows.setSettings(
          parseJsonObject(await readSource(file, session.terminal), file) as never, // the server checks it
        );
  const { fatigue } = found;
  session.show(found, () =>
    fields([
      ["version", String(found.version)],
      ["default workflow", found.defaultWorkflow ?? "built-in: one approver"],
      [
        "holds per requester and tool",
        fatigue === null
          ? "as many as there are"
          : `${fatigue.limit} in ${fatigue.windowSeconds} s; further ones ${fatigue.excess === "deny" ? "are denied" : "join a batch"}`,
      ],
    ]),
  );
}
