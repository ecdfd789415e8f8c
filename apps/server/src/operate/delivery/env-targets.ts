/** Targets and channels of the operator's environment, from JSON as the variables hold it. */
import { type FieldProblem, OarsError } from "#platform/kernel";
import type { Purpose } from "./domain.ts";
import { configSchemas, type TargetConfig, targetOptions } from "./target-config.ts";

export interface EnvTarget {
  readonly name: string;
  readonly purpose: Purpose;
  readonly config: TargetConfig;
  readonly options: ReturnType<typeof targetOptions.parse>;
}

export interface EnvSettings {
  readonly siemTargets: readonly Readonly<Record<string, unknown>>[];
  readonly siemWebhookUrl: string | null;
  readonly siemFilePath: string | null;
  readonly alertChannels: readonly Readonly<Record<string, unknown>>[];
  readonly alertWebhookUrl: string | null;
}

export const targetName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Throws CONFIG_INVALID with every problem of every entry. */
export function readEnvTargets(env: EnvSettings): EnvTarget[] {
  const problems: FieldProblem[] = [];
  const targets = [
    ...env.siemTargets.map((entry, i) => read("siem", entry, `OARS_SIEM_TARGETS[${i}]`, problems)),
    ...env.alertChannels.map((entry, i) => read("alerts", entry, `OARS_ALERT_CHANNELS[${i}]`, problems)),
  ].filter((target) => target !== undefined);
  const legacy = (purpose: Purpose, name: string, entry: object): void => {
    const target = read(purpose, { ...entry, id: name }, name, problems);
    if (target !== undefined) targets.push(target);
  };
  if (env.siemWebhookUrl !== null)
    legacy("siem", "legacy_siem_webhook", { kind: "generic_webhook", url: env.siemWebhookUrl });
  if (env.siemFilePath !== null) legacy("siem", "legacy_siem_file", { kind: "file", path: env.siemFilePath });
  if (env.alertWebhookUrl !== null)
    legacy("alerts", "legacy_alert_webhook", { kind: "generic_webhook", url: env.alertWebhookUrl });
  const names = targets.map((t) => t.name);
  for (const name of new Set(names.filter((n, i) => names.indexOf(n) !== i)))
    problems.push({ path: "OARS_SIEM_TARGETS", code: "twice", message: `two targets are called ${name}` });
  if (problems.length > 0) {
    const lines = problems.map((p) => `  ${p.path}: ${p.message}`).join("\n");
    throw new OarsError("CONFIG_INVALID", { problems: lines }, { errors: problems });
  }
  return targets;
}

/** `id` or `name`, `kind` or `type`, what applies to all kinds, and the configuration of the kind. */
function read(
  purpose: Purpose,
  entry: Readonly<Record<string, unknown>>,
  path: string,
  problems: FieldProblem[],
): EnvTarget | undefined {
  const { id, name = id, type, kind = type, enabled = true, format, minSeverity, types, ...rest } = entry;
  if (enabled === false) return undefined;
  if (typeof name !== "string" || !targetName.test(name)) {
    problems.push({
      path: `${path}.id`,
      code: "format",
      message: "needs an id of letters, digits, dots and dashes",
    });
    return undefined;
  }
  const options = targetOptions.safeParse({ format, minSeverity, types });
  const config = configSchemas[purpose].safeParse({ ...rest, kind });
  for (const { error } of [options, config].filter((r) => !r.success))
    for (const issue of error?.issues ?? [])
      problems.push({ path: [path, ...issue.path].join("."), code: issue.code, message: issue.message });
  if (!options.success || !config.success) return undefined;
  return { name, purpose, config: config.data, options: options.data };
}
