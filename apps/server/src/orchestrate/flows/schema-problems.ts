/** What zod found, told to the author of a definition: stable codes, plain sentences, near names. */
import type { z } from "zod";
import { didYouMean } from "./near-names.ts";
import { type Path, type Problem, pathText } from "./problems.ts";
import { fieldsAt } from "./schema-walk.ts";

type Issue = z.core.$ZodIssue;

interface Context {
  readonly schema: z.ZodType;
  readonly data: unknown;
  /** Where `data` stands in the definition. */
  readonly base: Path;
}

/** Problems of `data` that stands at `base`; paths are those of the whole definition. */
export function schemaProblems(context: Context, issues: readonly Issue[], at: Path = []): Problem[] {
  return issues.flatMap((issue) => issueProblems(context, issue, [...at, ...toPath(issue.path)]));
}

const toPath = (path: readonly PropertyKey[]): Path =>
  path.map((part) => (typeof part === "number" ? part : String(part)));

function issueProblems(context: Context, issue: Issue, inner: Path): Problem[] {
  const path = [...context.base, ...inner];
  const value = valueAt(context.data, inner);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownField(context, inner, key));
    case "invalid_union":
      return unionProblems(context, issue, inner);
    case "invalid_key":
      return [{ path, code: "FIELD_NAME", message: issue.issues[0]?.message ?? issue.message, on: "key" }];
    case "invalid_type":
      if (value === undefined)
        return [{ path, code: "FIELD_REQUIRED", message: `${fieldName(path)} is required`, on: "key" }];
      return [
        { path, code: "FIELD_TYPE", message: `must be ${typeName(issue.expected)}, not ${typeOf(value)}` },
      ];
    case "invalid_value": {
      if (value === undefined)
        return [{ path, code: "FIELD_REQUIRED", message: `${fieldName(path)} is required`, on: "key" }];
      const allowed = issue.values.map(String);
      const near = typeof value === "string" ? didYouMean(value, allowed) : "";
      return [{ path, code: "FIELD_VALUE", message: `must be one of ${allowed.join(", ")}.${near}` }];
    }
    case "too_small":
    case "too_big":
      return [{ path, code: "FIELD_VALUE", message: boundMessage(issue) }];
    default:
      return [{ path, code: "FIELD_VALUE", message: issue.message }];
  }
}

/** Trigger kinds of the design that this version does not have yet. */
const laterTriggers = new Set(["cron", "schedule", "poller", "event", "queue", "email"]);

function unknownField(context: Context, inner: Path, key: string): Problem {
  const holder = [...context.base, ...inner];
  const path = [...holder, key];
  if (holder.length === 2 && holder[0] === "triggers" && laterTriggers.has(key)) {
    const message = `${key} triggers come in a later version; use webhook`;
    return { path, code: "TRIGGER_UNAVAILABLE", message, on: "key" };
  }
  const fields = fieldsAt(context.schema, inner);
  const near = didYouMean(key, fields);
  const known = near === "" && fields.length > 0 ? ` Known here: ${fields.join(", ")}.` : near;
  const where = holder.length === 0 ? "the flow" : pathText(holder);
  return { path, code: "FIELD_UNKNOWN", message: `${where} has no field "${key}".${known}`, on: "key" };
}

/** The branch that the author most likely meant: of the right type, then with the fewest faults. */
function unionProblems(
  context: Context,
  issue: Extract<Issue, { code: "invalid_union" }>,
  inner: Path,
): Problem[] {
  const path = [...context.base, ...inner];
  const meant = issue.errors
    .filter(
      (branch) =>
        !branch.some(
          (one) => one.path.length === 0 && (one.code === "invalid_type" || one.code === "invalid_value"),
        ),
    )
    .sort((a, b) => a.length - b.length)[0];
  if (meant !== undefined) return schemaProblems(context, meant, inner);
  if (issue.errors.length === 0) return [{ path, code: "FIELD_VALUE", message: issue.message }];
  const value = valueAt(context.data, inner);
  if (value === undefined)
    return [{ path, code: "FIELD_REQUIRED", message: `${fieldName(path)} is required`, on: "key" }];
  const allowed = issue.errors
    .flat()
    .filter((one) => one.path.length === 0)
    .flatMap(expectedOf);
  const near = typeof value === "string" ? didYouMean(value, allowed) : "";
  return [{ path, code: "FIELD_TYPE", message: `must be ${[...new Set(allowed)].join(" or ")}.${near}` }];
}

const expectedOf = (issue: Issue): string[] => {
  if (issue.code === "invalid_type") return [typeName(issue.expected)];
  return issue.code === "invalid_value" ? issue.values.map(String) : [];
};

function boundMessage(issue: Extract<Issue, { code: "too_small" | "too_big" }>): string {
  const unit =
    { string: " characters", array: " items", record: " fields", object: " fields" }[
      issue.origin as string
    ] ?? "";
  if (issue.code === "too_small") return `must be at least ${issue.minimum}${unit}`;
  return `must be at most ${issue.maximum}${unit}`;
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  int: "a whole number",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
  null: "null",
};

/** `a whole number` for `int`. */
export const typeName = (expected: string): string => typeNames[expected] ?? expected;

const typeOf = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeName(typeof value);
};

const fieldName = (path: Path): string => (path.length === 0 ? "the definition" : `"${String(path.at(-1))}"`);

/** The value at a path, own properties only; undefined where there is none. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part]; // has `part` by the line above
  }
  return value;
}
