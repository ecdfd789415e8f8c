import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import type { CommandHost } from "./command.ts";
import { addAction } from "./commands/action.ts";
import { addAlert } from "./commands/alert.ts";
import { addApproval } from "./commands/approval.ts";
import { addConnection } from "./commands/connection.ts";
import { addEvent } from "./commands/event.ts";
import { addEvidence } from "./commands/evidence.ts";
import { addFactor } from "./commands/factor.ts";
import { addFlow } from "./commands/flow.ts";
import { addGate } from "./commands/gate.ts";
import { addHealth } from "./commands/health.ts";
import { addJob } from "./commands/job.ts";
import { addKey } from "./commands/key.ts";
import { addLog } from "./commands/log.ts";
import { addLogin } from "./commands/login.ts";
import { addPolicy } from "./commands/policy.ts";
import { addPrincipal } from "./commands/principal.ts";
import { addPrivacy } from "./commands/privacy.ts";
import { addReceipts } from "./commands/receipts.ts";
import { addRun } from "./commands/run.ts";
import { addScheduling } from "./commands/scheduling.ts";
import { addSecret } from "./commands/secret.ts";
import { addSiem } from "./commands/siem.ts";
import { addTenant } from "./commands/tenant.ts";
import { addTool } from "./commands/tool.ts";
import { addVerify } from "./commands/verify.ts";
import { addWorkflow } from "./commands/workflow.ts";
import { renderFailure, toFailure } from "./failure.ts";
import type { Host } from "./session.ts";

const after = `
Exit codes: 0 ok, 1 refused or failed, 2 wrong usage or undecided.
OARS_URL and OARS_KEY come before what oars login stored; OARS_CONFIG_DIR says where that is.`;

export function createProgram(host: CommandHost): Command {
  const program = new Command("oars")
    .description("Runs, actions, approvals and receipts of an OARS server.")
    .version(version())
    .exitOverride()
    .configureOutput({ writeOut: host.terminal.out, writeErr: host.terminal.err })
    .showHelpAfterError("(add --help for what there is)")
    .addHelpText("after", after);
  for (const add of [
    addLogin,
    addHealth,
    addTenant,
    addSecret,
    addConnection,
    addTool,
    addPolicy,
    addFlow,
    addRun,
    addGate,
    addApproval,
    addWorkflow,
    addFactor,
    addAction,
    addReceipts,
    addPrivacy,
    addLog,
    addKey,
    addVerify,
    addEvidence,
    addPrincipal,
    addAlert,
    addEvent,
    addSiem,
    addJob,
    addScheduling,
  ]) {
    add(program, host);
  }
  return program;
}

/** Runs one command and answers its exit code. Never throws for what a user or a server does. */
export async function runCli(args: readonly string[], host: Host): Promise<number> {
  let exitCode = 0;
  const program = createProgram({
    ...host,
    end: (code) => {
      exitCode = code;
    },
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return reportFailure(error, host, args.includes("--json"));
  }
}

function reportFailure(error: unknown, { terminal }: Host, json: boolean): number {
  const failure = toFailure(error);
  if (failure === null) throw error;
  const { exitCode, problems, hint, ...rest } = failure;
  if (json) terminal.err(`${JSON.stringify({ error: { ...rest, errors: problems } }, null, 2)}\n`);
  else terminal.err(renderFailure(failure));
  return exitCode;
}

const version = (): string =>
  (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string })
    .version; // its own manifest
