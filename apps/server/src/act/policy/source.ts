/** The shape of a bundle as a tenant sends it. Hostile input: everything is checked, nothing is trusted. */
import { z } from "zod";
import type { FieldProblem } from "#platform/kernel";
import { type BundleSource, effects, principalKinds, verbs } from "./domain.ts";
import { limits } from "./text.ts";

const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => value.isWellFormed() && !value.includes("\0"), "holds NUL or half a surrogate pair");
const words = z.array(text(200)).max(100);

const caseSchema = z.strictObject({
  name: text(200).min(1),
  request: z.strictObject({
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
  }),
  expect: z.enum(effects),
});

export const bundleSchema = z.strictObject({
  name: text(200).optional(),
  cedar: z.string(),
  cases: z.array(caseSchema).max(limits.cases).optional(),
});

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
