/** What one process does of the whole, and within which limits. */
import type { Config } from "#platform/config";
import { OarsError } from "#platform/kernel";

/** `serve` answers requests and works, `api` answers requests alone, `work` works alone. */
export type Role = "serve" | "api" | "work";

const commands: Readonly<Record<Role, string>> = {
  serve: "oars-server serve",
  api: "oars-server serve --no-worker",
  work: "oars-server work",
};

/** Errors: CONFIG_INVALID for a role that needs further processes on a database that takes one. */
export function assertRole(role: Role, config: Pick<Config, "store">): void {
  if (role === "serve" || config.store.kind === "postgres") return;
  const message = `\`${commands[role]}\` needs a PostgreSQL server, for the embedded database belongs to one process; set OARS_STORE=postgres and OARS_POSTGRES_URL, or run \`oars-server serve\``;
  const problem = { path: "OARS_STORE", code: "role", message };
  throw new OarsError("CONFIG_INVALID", { problems: `  OARS_STORE: ${message}` }, { errors: [problem] });
}

/** The limits in force, as logged at the start. */
export const limitsOf = ({ limits }: Pick<Config, "limits">) => ({
  stepsOfARun: limits.defaultMaxParallel,
  runsInThisProcess: limits.maxConcurrency,
  runsInAllProcesses: limits.maxRunning ?? "no cap",
  memoryShare: limits.memoryShare,
});

/** The same as lines for a person. */
export function renderLimits({ limits }: Pick<Config, "limits">): string {
  const cap = limits.maxRunning === null ? "no cap" : `${limits.maxRunning} runs`;
  return [
    "Effective limits:",
    `  steps of one run at once      ${limits.defaultMaxParallel}, when its flow does not say`,
    `  runs of one process at once   ${limits.maxConcurrency}`,
    `  over all processes            ${cap}`,
    `  no further runs are taken on  from ${Math.round(limits.memoryShare * 100)} % of the memory`,
  ].join("\n");
}
