/** Taking over rules of the simple form: shown first, then kept as a draft. */
import type { Caller } from "#platform/access";
import { type FieldProblem, OarsError } from "#platform/kernel";
import type { BundleSource, PolicyVersion } from "./domain.ts";
import { readRules } from "./rule-form.ts";
import { type Divergence, type ImportOptions, importRules } from "./rule-import.ts";

export interface ImportWish extends ImportOptions {
  readonly rules: unknown;
  readonly name?: string | undefined;
  /** Shows what would be made; nothing is stored. */
  readonly dryRun: boolean;
}

export interface ImportResult {
  readonly cedar: string;
  readonly divergences: readonly Divergence[];
  readonly problems: readonly FieldProblem[];
  /** The draft; null after a dry run, or where there are problems. */
  readonly policy: PolicyVersion | null;
}

export async function importBundle(
  room: {
    check(caller: Caller, source: BundleSource): Promise<FieldProblem[]>;
    createVersion(caller: Caller, source: BundleSource): Promise<PolicyVersion>;
  },
  caller: Caller,
  { rules: given, name, dryRun, ...options }: ImportWish,
): Promise<ImportResult> {
  const read = readRules(given);
  if ("problems" in read) throw new OarsError("POLICY_INVALID", {}, { errors: read.problems });
  const { cedar, divergences } = importRules(read.rules, options);
  const source: BundleSource = { cedar, ...(name === undefined ? {} : { name }) };
  const problems = await room.check(caller, source);
  const keep = !dryRun && problems.length === 0;
  return { cedar, divergences, problems, policy: keep ? await room.createVersion(caller, source) : null };
}
