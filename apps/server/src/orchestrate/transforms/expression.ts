import { compileJsonata, type JsonataProblem, type JsonataResult } from "#orchestrate/flows";
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
  const marks = keepsArrays.test(source);
  const toEvaluation = (result: JsonataResult): Evaluation =>
    result.ok ? result : faultOf(source, result.problem);
  const full = (input: unknown): Evaluation | Promise<Evaluation> => {
    const pending = expression.evaluate(marks ? copyOf(input) : input);
    return pending instanceof Promise ? pending.then(toEvaluation) : toEvaluation(pending);
  };
  const steps = plainSteps(expression.ast);
  const evaluate = steps === undefined ? full : (input: unknown) => lookUp(input, steps) ?? full(input);
  return { ok: true, expression: { source, evaluate } };
}

/** `a.b[]` marks the array that it finds, which may be the input's own: it gets a copy to mark. */
const keepsArrays = /\[\s*\]/;

function copyOf(input: unknown): unknown {
  const plain = toPlainJson(input ?? null);
  return plain.ok ? plain.value : structuredClone(input);
}

/** One step of a plain path: a name, and the item that `[n]` takes of what it finds. */
interface PlainStep {
  readonly name: string;
  readonly item: number | undefined;
}

type AstNode = Readonly<Record<string, unknown>>;

/** The steps of a path like `Items.Item[0].Sku`, or undefined for any richer expression. */
function plainSteps(ast: unknown): readonly PlainStep[] | undefined {
  const { type, steps, ...rest } = ast as AstNode; // a JSONata syntax tree is an object
  if (type !== "path" || !Array.isArray(steps) || Object.keys(rest).length > 0) return undefined;
  const plain: PlainStep[] = [];
  for (const { type: kind, value, position: _, stages, ...more } of steps as AstNode[]) {
    if (kind !== "name" || Object.keys(more).length > 0) return undefined;
    const item = stages === undefined ? undefined : indexOf(stages);
    if (stages !== undefined && item === undefined) return undefined;
    plain.push({ name: String(value), item });
  }
  return plain;
}

function indexOf(stages: unknown): number | undefined {
  const [stage, ...others] = stages as { type: string; expr: AstNode }[]; // an array, by JSONata's syntax tree
  const index =
    others.length === 0 && stage?.type === "filter" && stage.expr.type === "number" ? stage.expr.value : -1;
  return typeof index === "number" && Number.isSafeInteger(index) && index >= 0 ? index : undefined;
}

/** The value at a plain path, or undefined where an array on the way calls for JSONata's own rules. */
function lookUp(input: unknown, steps: readonly PlainStep[]): Evaluation | undefined {
  let value = input;
  for (const { name, item } of steps) {
    if (Array.isArray(value)) return undefined;
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) {
      return { ok: true, value: undefined };
    }
    value = (value as Record<string, unknown>)[name]; // an object with that own key, by the line above
    if (item === undefined) continue;
    if (Array.isArray(value)) value = value[item];
    else if (item > 0) value = undefined;
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
