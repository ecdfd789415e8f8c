/**
 * The one JSONata evaluator of the server: bounded, deterministic, JSON in and JSON out.
 *
 * Expressions are written by tenants and are hostile input. One evaluation is stopped after
 * `jsonataLimits.ms` of its own time, at `depth` nested calls, `items` items or `chars` characters;
 * a regular expression is stopped inside its match. Time, chance and `$eval` are refused, so the
 * same input gives the same output after a crash, and the names an expression reads are all in its text.
 */
import jsonata from "jsonata";
import type { Json } from "#platform/kernel";
import { type AstNode, variablesOf } from "./jsonata-ast.ts";
import { bailed, compileDirect } from "./jsonata-direct.ts";
import { jsonataFunctions, refusedFunctions } from "./jsonata-functions.ts";
import { guardedRegExp, RegexTimeout } from "./jsonata-regex.ts";
import { ResultTooLarge, toJson } from "./jsonata-result.ts";
import { didYouMean } from "./near-names.ts";

export const jsonataLimits = { source: 32_768, ms: 1_000, depth: 500, items: 1_000_000, chars: 16_777_216 };

/** What is wrong with an expression: a stable code and the offset (from 0) in its source. */
export interface JsonataProblem {
  readonly code:
    | "EXPRESSION_SYNTAX"
    | "EXPRESSION_REFUSED"
    | "EXPRESSION_UNKNOWN_NAME"
    | "EXPRESSION_TIMEOUT"
    | "EXPRESSION_LIMIT"
    | "EXPRESSION_FAILED";
  readonly message: string;
  readonly position: number;
}

/** `value` is undefined when the expression selects nothing. */
export type JsonataResult =
  | { readonly ok: true; readonly value: Json | undefined }
  | { readonly ok: false; readonly problem: JsonataProblem };

export interface JsonataExpression {
  readonly source: string;
  readonly ast: AstNode;
  /**
   * Evaluates over `input`; `variables` are the names given at compile time. At once where the direct evaluator
   * takes it. Never throws.
   */
  evaluate(
    input: unknown,
    variables?: Readonly<Record<string, unknown>>,
  ): JsonataResult | Promise<JsonataResult>;
}

export type JsonataCompiled =
  | { readonly ok: true; readonly expression: JsonataExpression }
  | { readonly ok: false; readonly problem: JsonataProblem };

/**
 * Compiles an expression. `variables` names what `evaluate` will bind (`$name`); any other unknown
 * `$name` is a problem. Pure: keep the result, compiling costs 10-100 times an evaluation.
 */
export function compileJsonata(source: string, variables: readonly string[] = []): JsonataCompiled {
  if (source.length > jsonataLimits.source) {
    return refuse("EXPRESSION_LIMIT", `an expression has at most ${jsonataLimits.source} characters`, 0);
  }
  const options = {
    stack: jsonataLimits.depth,
    sequence: jsonataLimits.items,
    RegexEngine: guardedRegExp(jsonataLimits.ms / 4),
  };
  try {
    const program = jsonata(source, options);
    const ast = program.ast() as unknown as AstNode; // the published typings name fewer node types than there are
    const problem = checkVariables(ast, variables);
    if (problem !== null) return { ok: false, problem };
    const direct = compileDirect(ast, variables);
    const meter = createMeter();
    program.assign(exitHook as unknown as string, meter.check); // the evaluator looks its hooks up by symbol
    program.registerFunction("pad", pad, "<s-ns?:s>");
    return {
      ok: true,
      expression: {
        source,
        ast,
        evaluate: (input, bound = none) => {
          const value = direct === undefined ? bailed : direct(input, bound);
          return value === bailed ? evaluate(program, meter, input, bound) : given(value);
        },
      },
    };
  } catch (cause) {
    return { ok: false, problem: toProblem(cause, "EXPRESSION_SYNTAX") };
  }
}

const none = {};

function given(value: unknown): JsonataResult {
  try {
    return { ok: true, value: toJson(value, jsonataLimits) };
  } catch (cause) {
    return { ok: false, problem: toProblem(cause, "EXPRESSION_FAILED") };
  }
}

async function evaluate(
  program: jsonata.Expression,
  meter: ReturnType<typeof createMeter>,
  input: unknown,
  variables: Readonly<Record<string, unknown>>,
): Promise<JsonataResult> {
  try {
    return await inTurn(async () => {
      meter.start();
      const result: unknown = await program.evaluate(input, { ...variables });
      return { ok: true, value: toJson(result, jsonataLimits) };
    });
  } catch (cause) {
    return { ok: false, problem: toProblem(cause, "EXPRESSION_FAILED") };
  }
}

function checkVariables(ast: AstNode, variables: readonly string[]): JsonataProblem | null {
  const { bound, used } = variablesOf(ast);
  for (const { name, end } of used) {
    const position = Math.max(0, end - name.length - 1);
    const reason = refusedFunctions.get(name);
    if (reason !== undefined)
      return { code: "EXPRESSION_REFUSED", message: `$${name} is refused: ${reason}`, position };
    if (bound.has(name) || variables.includes(name) || jsonataFunctions.has(name)) continue;
    const near = didYouMean(name, [...jsonataFunctions, ...bound, ...variables]);
    return { code: "EXPRESSION_UNKNOWN_NAME", message: `There is no $${name}.${near}`, position };
  }
  return null;
}

const exitHook = Symbol.for("jsonata.__evaluate_exit");

class OverBudget extends Error {}

/**
 * Stops an evaluation that takes too long or makes giant strings. `check` runs after every node; one
 * evaluation runs at a time, so the time since its start is its own. What counts is this thread's processor time:
 * a machine with too much to do must not fail what is right. It is asked for only once the clock says so.
 */
function createMeter() {
  let startedAt = 0;
  let cpuAt: NodeJS.CpuUsage = { user: 0, system: 0 };
  return {
    start: (): void => {
      startedAt = performance.now();
      cpuAt = process.threadCpuUsage();
    },
    check: (_node: unknown, _input: unknown, _environment: unknown, result: unknown): void => {
      if (performance.now() - startedAt > jsonataLimits.ms) {
        const { user, system } = process.threadCpuUsage(cpuAt);
        if (user + system > jsonataLimits.ms * 1_000) throw new OverBudget();
      }
      if (typeof result === "string" && result.length > jsonataLimits.chars) throw new ResultTooLarge();
    },
  };
}

/**
 * Evaluations wait for each other. They only compute, so on one thread this costs nothing, and without
 * it a cheap expression would be charged for the time of its neighbours.
 */
const turn: { last: Promise<unknown> } = { last: Promise.resolve() };

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = turn.last.then(work);
  turn.last = result.catch(() => undefined);
  return result;
}

function pad(text: string, width: number, char = " "): string {
  const missing = Math.min(Math.abs(width), jsonataLimits.items) - [...text].length;
  if (missing <= 0) return text;
  const fill = [...(char === "" ? " " : char)];
  const padding = Array.from({ length: missing }, (_, i) => fill[i % fill.length]).join("");
  return width > 0 ? text + padding : padding + text;
}

const refuse = (code: JsonataProblem["code"], message: string, position: number): JsonataCompiled => ({
  ok: false,
  problem: { code, message, position },
});

/** JSONata throws plain objects with `code`, `message`, `position` (behind the token) and `token`. */
function toProblem(cause: unknown, code: "EXPRESSION_SYNTAX" | "EXPRESSION_FAILED"): JsonataProblem {
  if (cause instanceof OverBudget) {
    return { code: "EXPRESSION_TIMEOUT", message: `took longer than ${jsonataLimits.ms} ms`, position: 0 };
  }
  if (cause instanceof RegexTimeout)
    return { code: "EXPRESSION_TIMEOUT", message: cause.message, position: 0 };
  if (cause instanceof ResultTooLarge) {
    return {
      code: "EXPRESSION_LIMIT",
      message: "the result is larger than an expression may make",
      position: 0,
    };
  }
  const thrown = (typeof cause === "object" && cause !== null ? cause : {}) as Record<string, unknown>; // read below with checks
  if (cause instanceof RangeError || thrown.code === "D1011") {
    return { code: "EXPRESSION_LIMIT", message: "the expression is nested too deeply", position: 0 };
  }
  const message = typeof thrown.message === "string" ? thrown.message : String(cause);
  const token = typeof thrown.token === "string" && thrown.token !== "(end)" ? thrown.token.length : 0;
  const position = typeof thrown.position === "number" ? Math.max(0, thrown.position - token) : 0;
  if (thrown.code === "D2014" || thrown.code === "D2015")
    return { code: "EXPRESSION_LIMIT", message, position };
  return { code, message, position };
}
