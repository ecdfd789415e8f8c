/** The shape of a bundle as a tenant sends it. Hostile input: everything is checked, nothing is trusted. */
import { z } from "zod";
import type { FieldProblem } from "#platform/kernel";
import {
  type BundleSource,
  type CounterWindow,
  counterScopes,
  counterWindows,
  delegations,
  effects,
  principalKinds,
  verbs,
} from "./domain.ts";
import type { FactSpec } from "./facts.ts";
import { limits } from "./text.ts";

const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => value.isWellFormed() && !value.includes("\0"), "holds NUL or half a surrogate pair");
const words = z.array(text(200)).max(100);

/** A request as people write it, in golden cases and in simulations. */
export const caseRequestSchema = z.strictObject({
  principal: z.strictObject({
    id: text(200).optional(),
    kind: z.enum(principalKinds),
    roles: words.optional(),
    groups: words.optional(),
    owner: text(200).optional(),
  }),
  action: z.enum(verbs),
  tool: text(200).regex(/^[^/]+\/.+$/, "write connection/operation, such as wms/http.request"),
  connector: text(200).optional(),
  environment: text(200).optional(),
  risk: z.int().optional(),
  dataTypes: words.optional(),
  target: text(4000).optional(),
  args: z.record(text(64), z.union([text(4000), z.int(), z.boolean()])).optional(),
  approvals: z.strictObject({ count: z.int().min(0).max(1000), roles: words }).optional(),
  delegation: z
    .strictObject({ user: text(200).optional(), depth: z.int().min(0).max(1000).optional() })
    .optional(),
  now: z.iso.datetime({ offset: true }).optional(),
  onBehalfOf: z
    .strictObject({ id: text(200).optional(), roles: words.optional(), groups: words.optional() })
    .optional(),
  counters: z.record(text(64), z.int()).optional(),
});

const caseSchema = z.strictObject({
  name: text(200).min(1),
  request: caseRequestSchema,
  expect: z.enum(effects),
});

const groupName = text(100).regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "use letters, digits, dots and dashes");
const members = (what: string, shape: RegExp) =>
  z
    .record(groupName, z.array(text(200).regex(shape, what)).max(1_000))
    .refine((groups) => Object.keys(groups).length <= 100, "at most 100 groups");

const entitiesSchema = z.strictObject({
  toolGroups: members("write connection/operation or connection/*", /^[^/]+\/.+$/).optional(),
  groups: members("write the id of a principal, prn_…", /^prn_[0-7][0-9a-hjkmnp-tv-z]{25}$/).optional(),
});

const counterSchema = z.strictObject({
  name: text(64).regex(/^(?!__)[A-Za-z_][A-Za-z0-9_]*$/, "letters, digits and underscores"),
  sum: text(64).optional(),
  window: z.enum(Object.keys(counterWindows) as [CounterWindow, ...CounterWindow[]]), // the keys of that object
  per: z.array(z.enum(counterScopes)).max(counterScopes.length),
  verbs: z.array(z.enum(verbs)).min(1).max(verbs.length).optional(),
});

export const bundleSchema = z.strictObject({
  name: text(200).optional(),
  cedar: z.string(),
  cases: z.array(caseSchema).max(limits.cases).optional(),
  entities: entitiesSchema.optional(),
  counters: z.array(counterSchema).max(20).optional(),
  delegation: z.enum(delegations).optional(),
});

/** A counter sums whole numbers, and its name stands for one thing. */
export function counterProblems(source: BundleSource, facts: readonly FactSpec[]): FieldProblem[] {
  const seen = new Set<string>();
  return (source.counters ?? []).flatMap(({ name, sum }, index) => {
    const problems: FieldProblem[] = [];
    const say = (path: string, message: string) =>
      problems.push({ path: `counters.${index}.${path}`, code: "POLICY_COUNTER", message });
    if (seen.has(name)) say("name", `Two counters are named ${name}; rename one.`);
    seen.add(name);
    if (sum !== undefined && facts.find((fact) => fact.name === sum)?.type !== "integer")
      say("sum", `No connection declares a whole-number fact ${sum}; counters sum those alone.`);
    return problems;
  });
}

export function sourceProblems(source: unknown): FieldProblem[] {
  const parsed = bundleSchema.safeParse(source);
  if (parsed.success) return duplicateNames(parsed.data);
  return parsed.error.issues.map((issue) => ({
    path: issue.path.join(".") || "source",
    code: "POLICY_SOURCE",
    message: issue.message,
  }));
}

/** The source with line ends as LF: the form that is stored, digested and shown again. */
export const normalSource = (source: BundleSource): BundleSource => ({
  ...(source.name === undefined ? {} : { name: source.name }),
  cedar: source.cedar.replaceAll("\r\n", "\n"),
  ...(source.cases === undefined ? {} : { cases: plain(source.cases) }),
  ...(source.entities === undefined ? {} : { entities: plain(source.entities) }),
  ...(source.counters === undefined ? {} : { counters: plain(source.counters) }),
  ...(source.delegation === undefined ? {} : { delegation: source.delegation }),
});

/** As JSON gives it back: no undefined, no getters. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T; // JSON in, the same JSON out

function duplicateNames(source: BundleSource): FieldProblem[] {
  const seen = new Set<string>();
  return (source.cases ?? []).flatMap(({ name }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [
      {
        path: `cases.${index}.name`,
        code: "POLICY_SOURCE",
        message: `Two cases are named ${name}; rename one.`,
      },
    ];
  });
}
