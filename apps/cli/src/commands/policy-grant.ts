import type { CreateGrantRequest, PolicyGrant } from "@oars/sdk";
import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { RefusedError } from "../failure.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { fields, table } from "../text.ts";
import { when } from "../time.ts";

interface GrantOptions {
  readonly principal?: string;
  readonly resource?: string;
  readonly note?: string;
  readonly expires?: string;
}

/** Grants fill the templates of the bundle in force. */
export function addGrants(policy: Command, host: CommandHost): void {
  const grant = addGroup(policy, "grant", "Grants: templates of the bundle in force, filled one by one");
  addCommand(grant, host, "give <template>", "Fill a template; it counts at once", give)
    .option("--principal <who>", "prn_…, role:NAME or group:NAME")
    .option("--resource <what>", "tool:CONNECTION/OPERATION, connector:, environment: or toolGroup:NAME")
    .option("--note <text>", "why")
    .option("--expires <time>", "ISO 8601 in UTC, such as 2026-12-31T00:00:00Z");
  pageOptions(addCommand(grant, host, "list", "List grants, newest first", list));
  addCommand(grant, host, "revoke <id>", "Revoke a grant; it counts no more", revoke);
}

async function give(session: Session, options: GrantOptions, template: string): Promise<void> {
  const { principal, resource, note, expires } = options;
  const request = {
    template,
    ...(principal === undefined ? {} : { principal: entity(principal, "id") }),
    ...(resource === undefined ? {} : { resource: entity(resource, "tool") }),
    ...(note === undefined ? {} : { note }),
    ...(expires === undefined ? {} : { expiresAt: expires }),
  } as CreateGrantRequest; // the server checks kinds and ids
  const made = await (await session.client()).policies.grant(request);
  session.show(made, () => `Granted.\n${shown(made)}`);
}

/** `role:agent` is `{role: "agent"}`; without a kind it is the usual one. */
function entity(text: string, usual: string): Record<string, string> {
  const at = text.indexOf(":");
  if (at < 0) return { [usual]: text };
  const kind = text.slice(0, at);
  if (!["role", "group", "tool", "connector", "environment", "toolGroup"].includes(kind))
    throw new RefusedError("GRANT_KIND", `${kind} is no kind of principal or resource.`, []);
  return { [kind]: text.slice(at + 1) };
}

const shown = (g: PolicyGrant): string =>
  fields([
    ["id", g.id],
    ["template", g.template],
    ["principal", g.principal && `${g.principal.type} ${g.principal.id}`],
    ["resource", g.resource && `${g.resource.type} ${g.resource.id}`],
    ["expires", g.expiresAt],
  ]);

async function list(session: Session, options: PageOptions): Promise<void> {
  const page = await (await session.client()).policies.listGrants(pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no grants.\n"
      : table([
          ["template", "principal", "resource", "state", "given", "id"],
          ...page.items.map((g) => [
            g.template,
            g.principal?.id ?? "-",
            g.resource?.id ?? "-",
            g.revokedAt !== null ? "revoked" : "given",
            when(g.createdAt, session.now()) ?? "-",
            g.id,
          ]),
        ]) + more(page),
  );
}

async function revoke(session: Session, _options: object, id: string): Promise<void> {
  const gone = await (await session.client()).policies.revokeGrant(id);
  session.show(gone, () => `Revoked.\n${shown(gone)}`);
}
