import { type Config, type Environment, variables } from "#platform/config";
import { renderLimits } from "./roles.ts";

/** The variables in force: value, and whether it was set or is the default. Secrets are named, never shown. */
export function renderDoctor(config: Config, env: Environment): string {
  const rows = Object.entries(variables).map(([name, variable]) => {
    const from = [name, ...variable.aliases].find((n) => env[n]?.trim());
    const value = from === undefined ? "" : variable.secret ? "[set]" : (env[from] ?? "");
    return [name, from === undefined ? "default" : from === name ? "set" : `set as ${from}`, value];
  });
  const width = Math.max(...rows.map(([name]) => name?.length ?? 0));
  const lines = rows.map(
    ([name, source, value]) => `${name?.padEnd(width)}  ${source}${value ? `  ${value}` : ""}`,
  );
  return [
    `The configuration is valid (preset ${config.env}).`,
    ...config.warnings.map((w) => `warning: ${w}`),
    "",
    renderLimits(config),
    "",
    ...lines,
    "",
  ].join("\n");
}
