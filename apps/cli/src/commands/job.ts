import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost } from "../command.ts";
import type { Session } from "../session.ts";
import { clip, table } from "../text.ts";
import { when } from "../time.ts";

export function addJob(program: Command, host: CommandHost): void {
  const job = addGroup(program, "job", "Background jobs of the installation");
  addCommand(job, host, "list", "List the jobs: last and next run, last error, where they run", list);
  addCommand(job, host, "run <name>", "Run a job now; needs the role platform_admin", run);
}

async function list(session: Session): Promise<void> {
  const page = await (await session.client()).system.jobs().page();
  const now = session.now();
  session.show(page, () =>
    table([
      ["job", "state", "last end", "took", "next", "error"],
      ...page.items.map((j) => [
        j.name,
        j.state === "running" && j.host ? `running on ${j.host}` : j.state,
        when(j.endedAt, now) ?? "never",
        j.lastMs === null ? "" : `${j.lastMs} ms`,
        when(j.nextAt, now) ?? "",
        clip(j.lastError ?? "", 80),
      ]),
    ]),
  );
}

async function run(session: Session, _options: object, name: string): Promise<void> {
  const started = await (await session.client()).system.runJob(name);
  session.show(started, () => `Job ${started.name} has begun. How it ends: oars job list\n`);
}
