import type { FactValue } from "#act/connector-kit";
import type { FieldProblem } from "#platform/kernel";
import type { FactRule } from "./http-config.ts";
import type { HttpInput } from "./http-input.ts";

export interface ReadFacts {
  readonly facts: Record<string, FactValue>;
  readonly problems: readonly FieldProblem[];
}

/**
 * The facts that a request states. Policy decides on them, so a fact that is there in the wrong form is a
 * problem like a required one that is missing: neither may pass as absent. Query and header values travel as
 * text, and are read in the type that the fact declares.
 */
export function readFacts(rules: readonly FactRule[], input: HttpInput): ReadFacts {
  const facts: Record<string, FactValue> = {};
  const problems: FieldProblem[] = [];
  for (const rule of rules) {
    const inBody = rule.path.startsWith("body.");
    if (inBody && typeof input.body === "string") {
      // Two JSON readers can disagree about one text (repeated names); a JSON value has one reading.
      problems.push(
        problem("body", "FACT_BODY_TEXT", `must be JSON, not text: fact ${rule.name} is read from it`),
      );
      continue;
    }
    const value = valueAt(input, rule.path);
    if (value === undefined || value === null) {
      if (rule.required)
        problems.push(problem(rule.path, "FACT_MISSING", `is required: it is fact ${rule.name}`));
      continue;
    }
    const read = inBody ? exact(value, rule.type) : fromText(value, rule.type);
    if (read === undefined)
      problems.push(problem(rule.path, "FACT_TYPE", `must be ${wanted[rule.type]}: it is fact ${rule.name}`));
    else facts[rule.name] = read;
  }
  return { facts, problems };
}

const wanted = {
  long: "a whole number within ±(2^53 - 1)",
  string: "text of at most 500 characters",
  bool: "true or false",
} as const;

const problem = (path: string, code: string, message: string): FieldProblem => ({
  path: `input.${path}`,
  code,
  message,
});

function valueAt(input: HttpInput, path: string): unknown {
  const [root = "", ...names] = path.split(".");
  if (root === "headers") {
    const name = names.join(".").toLowerCase();
    return Object.entries(input.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
  }
  let value: unknown =
    root === "method"
      ? input.method
      : root === "path"
        ? input.path
        : root === "query"
          ? input.query
          : input.body;
  for (const name of names) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name]; // an own property, by the check above
  }
  return value;
}

function exact(value: unknown, type: FactRule["type"]): FactValue | undefined {
  if (type === "long") return Number.isSafeInteger(value) ? (value as number) : undefined; // isSafeInteger admits numbers only
  if (type === "bool") return typeof value === "boolean" ? value : undefined;
  return typeof value === "string" && value.length <= 500 ? value : undefined;
}

function fromText(value: unknown, type: FactRule["type"]): FactValue | undefined {
  if (typeof value !== "string") return type === "string" ? exactText(value) : exact(value, type);
  if (type === "string") return exact(value, type);
  if (type === "bool") return value === "true" ? true : value === "false" ? false : undefined;
  return /^(?:0|-?[1-9]\d{0,15})$/.test(value) ? exact(Number(value), type) : undefined;
}

const exactText = (value: unknown): string | undefined =>
  typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
