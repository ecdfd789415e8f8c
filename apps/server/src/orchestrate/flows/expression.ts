/** One expression of a template: compiled once, rendered over a run's scope. */
import {
  compileJsonata,
  type JsonataExpression,
  type JsonataProblem,
  type JsonataResult,
} from "./jsonata.ts";
import { lookUp, parsePlainPath, unsure } from "./plain-path.ts";
import type { ProblemCode } from "./problem-codes.ts";
import { type Computed, type Reference, referencesOf, referencesOfPath } from "./references.ts";
import { quoteStepNames } from "./step-quoting.ts";

/** Thrown, or rejected with, when an expression fails over the data of a run. */
export class ExpressionError extends Error {
  readonly code: JsonataProblem["code"];
  /** Where in the definition the expression stands. */
  readonly path: string;

  constructor(code: JsonataProblem["code"], message: string, path: string) {
    super(`${path}: ${message}`);
    this.name = "ExpressionError";
    this.code = code;
    this.path = path;
  }
}

export interface Expression {
  readonly references: readonly (Reference | Computed)[];
  /** Synchronous where no interpreter is needed, else a promise. */
  evaluate(scope: object): unknown;
}

export type CompiledExpression =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly code: ProblemCode; readonly message: string; readonly offset: number };

/** `path` is where the expression stands; failures at run time name it. */
export function compileExpression(original: string, path: string): CompiledExpression {
  const { source, originalOffset } = quoteStepNames(original);
  const plain = parsePlainPath(source);
  if (plain !== null) {
    let program: JsonataExpression | null = null; // compiled when the data first needs it
    const evaluate = (scope: object): unknown => {
      const value = lookUp(scope, plain);
      if (value !== unsure) return value;
      program ??= mustCompile(source);
      return settle(program, scope, path);
    };
    const start = original.length - original.trimStart().length;
    return { ok: true, expression: { references: referencesOfPath(plain, start), evaluate } };
  }
  if (source.trim() === "") {
    return {
      ok: false,
      code: "EXPRESSION_SYNTAX",
      message: "write an expression between {{ and }}",
      offset: 0,
    };
  }
  const compiled = compileJsonata(source);
  if (!compiled.ok) {
    const { code, message, position } = compiled.problem;
    return { ok: false, code, message, offset: originalOffset(position) };
  }
  const program = compiled.expression;
  const references = referencesOf(program.ast).map((use) => ({ ...use, offset: originalOffset(use.offset) }));
  return { ok: true, expression: { references, evaluate: (scope) => settle(program, scope, path) } };
}

/** Fails by a promise in any case: others of the same template may be under way. */
function settle(program: JsonataExpression, scope: object, path: string): unknown {
  const pending = program.evaluate(scope);
  if (!(pending instanceof Promise) && pending.ok) return pending.value;
  return Promise.resolve(pending).then((result: JsonataResult) => {
    if (result.ok) return result.value;
    throw new ExpressionError(result.problem.code, result.problem.message, path);
  });
}

/** Every plain path is an expression of JSONata; a failure here is a bug of the path parser. */
function mustCompile(source: string): JsonataExpression {
  const compiled = compileJsonata(source);
  if (!compiled.ok) throw new Error(`plain path "${source}" is not JSONata: ${compiled.problem.message}`);
  return compiled.expression;
}
