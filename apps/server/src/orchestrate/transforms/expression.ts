import { compileJsonata, type JsonataProblem } from "#orchestrate/flows";
import { BoundedCache } from "./bounded-cache.ts";
import { toPlainJson } from "./plain-json.ts";
import { describePosition, positionAt } from "./source-position.ts";

export type Evaluation =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface Expression {
  readonly source: string;
  /** Never changes the input. The value may be a part of the input: copy it before keeping it. */
  evaluate(input: unknown): Evaluation | Promise<Evaluation>;
}

export type Compiled =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly message: string };

export interface Expressions {
  /** Cached by source, the most recently used 1,000. */
  compile(source: string): Compiled;
}

/** Expressions of mappings. Plain paths are looked up directly, all others run in the bounded evaluator. */
export function createExpressions(): Expressions {
  const cache = new BoundedCache<string, Compiled>(1_000);
  return { compile: (source) => cache.get(source, () => compile(source)) };
}

function compile(source: string): Compiled {
  if (source.trim() === "") return { ok: false, message: "The expression is empty." };
  const compiled = compileJsonata(source);
  if (!compiled.ok) return { ok: false, message: describe(source, compiled.problem) };
  const { expression } = compiled;
  const full = async (input: unknown): Promise<Evaluation> => {
    const result = await expression.evaluate(keepsArrays.test(source) ? copyOf(input) : input);
    return result.ok ? result : faultOf(source, result.problem);
  };
  const names = plainNames(expression.ast);
  const evaluate = names === undefined ? full : (input: unknown) => lookUp(input, names) ?? full(input);
  return { ok: true, expression: { source, evaluate } };
}

/** `a.b[]` marks the array that it finds, which may be the input's own: it gets a copy to mark. */
const keepsArrays = /\[\s*\]/;

function copyOf(input: unknown): unknown {
  const plain = toPlainJson(input ?? null);
  return plain.ok ? plain.value : structuredClone(input);
}

/** The names of a path like `Header.DocumentId`, or undefined for any richer expression. */
function plainNames(ast: unknown): readonly string[] | undefined {
  const { type, steps, ...rest } = ast as Record<string, unknown>; // a JSONata syntax tree is an object
  if (type !== "path" || !Array.isArray(steps) || Object.keys(rest).length > 0) return undefined;
  const names: string[] = [];
  for (const step of steps as Record<string, unknown>[]) {
    if (step.type !== "name" || Object.keys(step).length !== 3) return undefined; // type, value, position
    names.push(String(step.value));
  }
  return names;
}

/** The value at a plain path, or undefined where an array on the way calls for JSONata's own rules. */
function lookUp(input: unknown, names: readonly string[]): Evaluation | undefined {
  let value = input;
  for (const name of names) {
    if (Array.isArray(value)) return undefined;
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) {
      return { ok: true, value: undefined };
    }
    value = (value as Record<string, unknown>)[name]; // an object with that own key, by the line above
  }
  return Array.isArray(value) ? undefined : { ok: true, value };
}

const codes: Partial<Record<JsonataProblem["code"], string>> = {
  EXPRESSION_TIMEOUT: "MAP_TIMEOUT",
  EXPRESSION_LIMIT: "MAP_LIMIT",
};

const faultOf = (source: string, problem: JsonataProblem): Evaluation => ({
  ok: false,
  code: codes[problem.code] ?? "MAP_EXPRESSION",
  message: describe(source, problem),
});

function describe(source: string, { message, position }: JsonataProblem): string {
  const shown = (source.length > 80 ? `${source.slice(0, 80)}…` : source).replace(/\s+/g, " ");
  const reason = message.slice(0, 300).replace(/\.$/, "");
  return `In \`${shown}\` at ${describePosition(positionAt(source, position))}: ${reason}.`;
}
