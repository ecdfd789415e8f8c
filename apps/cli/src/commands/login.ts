import type { Command } from "commander";
import { addCommand, type CommandHost } from "../command.ts";
import { credentialsPath, currentCredentials, removeCredentials, writeCredentials } from "../credentials.ts";
import { UsageError } from "../failure.ts";
import { clientFor, type Session } from "../session.ts";
import { fields } from "../text.ts";

export function addLogin(program: Command, host: CommandHost): void {
  addCommand(program, host, "login", "Check an API key and keep it for the next commands", login)
    .option("--url <url>", "address of the server; that of the last login when absent")
    .option("--key <key>", "API key, or - for standard input; asked for when absent");
  addCommand(program, host, "logout", "Forget the stored key", logout);
  addCommand(program, host, "whoami", "Show who the key is and what it may do", whoami);
}

async function login(session: Session, options: { url?: string; key?: string }): Promise<void> {
  const url = options.url ?? (await currentCredentials(session.env)).url;
  if (url === undefined)
    throw new UsageError("Say where the server is: oars login --url http://127.0.0.1:8080");
  const key = await keyOf(session, options.key);
  const me = await clientFor(url, key).me.get();
  const savedTo = credentialsPath(session.env);
  await writeCredentials(savedTo, { url, key });
  session.show({ url, savedTo, ...me }, () =>
    [
      `Logged in at ${url} as ${me.principal.name} (${me.principal.kind}), roles ${me.roles.join(", ") || "none"}.`,
      `The key is kept in ${savedTo}.`,
      "Try next: oars run list",
      "",
    ].join("\n"),
  );
  if (new URL(url).protocol === "http:" && !/^(localhost|127\.|\[::1\])/.test(new URL(url).hostname)) {
    session.remark("Warning: over http:// everybody on the way can read the key. Use https://.\n");
  }
}

async function keyOf({ terminal }: Session, given: string | undefined): Promise<string> {
  const typed =
    given !== undefined && given !== "-"
      ? given
      : terminal.interactive && given === undefined
        ? await terminal.ask("API key (not shown): ")
        : await terminal.readInput();
  const key = typed.trim();
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new UsageError(
    "An API key is one word of visible characters; give it with --key or on standard input.",
  );
}

async function logout(session: Session): Promise<void> {
  const path = credentialsPath(session.env);
  const removed = await removeCredentials(path);
  session.show({ removed, path }, () => (removed ? `Removed ${path}.\n` : "Nobody was logged in.\n"));
}

async function whoami(session: Session): Promise<void> {
  const me = await (await session.client()).me.get();
  const { url } = await currentCredentials(session.env);
  session.show({ url, ...me }, () =>
    fields([
      ["server", url],
      ["tenant", me.tenantId],
      ["principal", `${me.principal.name} (${me.principal.kind}) ${me.principal.id}`],
      ["owner", me.principal.ownerId],
      ["roles", me.roles.join(", ") || "none"],
      ["permissions", me.permissions.join(", ") || "none"],
      ["credential", `${me.credential.kind} ${me.credential.id}`],
    ]),
  );
}
