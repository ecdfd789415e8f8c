import { OarsApiError } from "@oars/sdk";
import type { Command } from "commander";
import { addCommand, type CommandHost } from "../command.ts";
import { currentCredentials } from "../credentials.ts";
import { UsageError } from "../failure.ts";
import { clientFor, type Session } from "../session.ts";
import { table } from "../text.ts";

export function addHealth(program: Command, host: CommandHost): void {
  addCommand(program, host, "health", "Check the server, and the key that is stored", health).option(
    "--url <url>",
    "another server than the stored one",
  );
}

interface Row {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string | undefined;
}

async function health(session: Session, options: { url?: string }): Promise<number> {
  const env = options.url === undefined ? session.env : { ...session.env, OARS_URL: options.url };
  const { url, key } = await currentCredentials(env);
  if (url === undefined)
    throw new UsageError("Say where the server is: oars health --url http://127.0.0.1:8080");
  const report = await clientFor(url).health.ready();
  const checks: Row[] = report.checks.map(({ name, ok, detail, ms }) => ({
    name,
    ok,
    detail: [detail, ms === undefined ? undefined : `${Math.round(ms)} ms`].filter(Boolean).join(", "),
  }));
  if (key !== undefined) checks.push(await credential(url, key));
  const ready = report.ready && checks.every((check) => check.ok);
  session.show({ url, ...report, ready, checks }, () =>
    [
      `OARS ${report.version} at ${url}: ${ready ? "ready" : "NOT READY"}\n\n`,
      table([
        ["check", "result", "detail"],
        ...checks.map((c) => [c.name, c.ok ? "ok" : "FAILED", c.detail ?? ""]),
      ]),
    ].join(""),
  );
  return ready ? 0 : 1;
}

async function credential(url: string, key: string): Promise<Row> {
  try {
    const { principal } = await clientFor(url, key).me.get();
    return { name: "credential", ok: true, detail: `${principal.name} (${principal.kind})` };
  } catch (error) {
    if (!(error instanceof OarsApiError)) throw error;
    return { name: "credential", ok: false, detail: `${error.code}: ${error.detail}` };
  }
}
