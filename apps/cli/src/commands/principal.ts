import type { IssuedApiKey, Principal } from "@oars/sdk";
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
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { table } from "../text.ts";
import { when } from "../time.ts";

interface CreateOptions {
  readonly kind: Principal["kind"];
  readonly role?: readonly string[];
  readonly owner?: string;
  readonly key?: boolean;
}

export function addPrincipal(program: Command, host: CommandHost): void {
  const principal = addGroup(program, "principal", "People, agents and services");
  addCommand(principal, host, "create <name>", "Create a person, an agent or a service", create)
    .addOption(
      new Option("--kind <kind>", "what it is").choices(["user", "agent", "service"]).makeOptionMandatory(),
    )
    .option("--role <role>", "a role, as in operator or approver; repeatable", collect)
    .option("--owner <id>", "the person who answers for an agent or a service")
    .option("--key", "issue an API key too, which is shown this once");
  pageOptions(addCommand(principal, host, "list", "List principals", list));
}

async function create(session: Session, options: CreateOptions, name: string): Promise<void> {
  const client = await session.client();
  const { kind, role: roles = [], owner } = options;
  const made = await client.principals.create({
    name,
    kind,
    roles: [...roles],
    ...(owner ? { ownerId: owner } : {}),
  });
  const issued = options.key ? await client.principals.issueKey(made.id, { name: "first key" }) : undefined;
  session.show({ ...made, ...(issued && { apiKey: issued }) }, () => {
    const text = `${made.name} (${made.kind}) is ${made.id}, roles ${made.roles.join(", ") || "none"}.\n`;
    return issued === undefined ? text : text + keyText(issued);
  });
}

const keyText = ({ id, key }: IssuedApiKey): string =>
  key === null
    ? `The answer with its key ${id} was lost on the way: revoke that key and issue another.\n`
    : `Its API key, shown this once:\n\n  ${key}\n\n`;

async function list(session: Session, options: PageOptions): Promise<void> {
  const page = await (await session.client()).principals.list(pageOf(options)).page();
  session.show(
    page,
    () =>
      table([
        ["name", "kind", "roles", "status", "created", "id"],
        ...page.items.map((p) => [
          p.name,
          p.kind,
          p.roles.join(" ") || "-",
          p.status,
          when(p.createdAt, session.now()) ?? "",
          p.id,
        ]),
      ]) + more(page),
  );
}
