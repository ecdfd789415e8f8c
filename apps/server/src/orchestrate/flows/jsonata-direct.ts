/**
 * The part of JSONata that most flows are written in (paths, filters, objects and arrays, arithmetic, comparisons,
 * conditions, plain functions), as plain functions instead of an interpreter that awaits every node: 20 to 50 times as
 * fast, and the reason why a flow of a few expressions costs microseconds.
 *
 * D1 what it gives is what the interpreter gives, value for value and in the same order.
 * D2 anything else (a type fault, an overflow, a budget that is used up, a construct that is not here) is not decided
 *    here: `bailed` says that the interpreter, which meters and words all that, must evaluate the expression.
 *
 * It follows `jsonata` 2.2 function by function; the names are the interpreter's. A sequence is an array with the mark
 * `sequence`: of none it is nothing, of one it is that one.
 */
import { type AstNode, isAstNode } from "./jsonata-ast.ts";
import { directFunctions } from "./jsonata-direct-functions.ts";
import { type Eval, type Filter, filter, group, lookUp, stepOver } from "./jsonata-direct-paths.ts";
import { Bail, equal, single, spend, toBoolean, toNumber, toText } from "./jsonata-direct-values.ts";

export const bailed: unique symbol = Symbol("bailed");

export type Direct = (input: unknown, variables: Readonly<Record<string, unknown>>) => unknown;
/** Nodes and items that one evaluation may cost before the interpreter, which has a clock, takes over. */
const budget = 50_000;
/** Far below the depth at which the interpreter refuses. */
const maxDepth = 100;

/** Undefined when the expression needs the interpreter. `variables` are the names that `Direct` will bind. */
export function compileDirect(ast: AstNode, variables: readonly string[]): Direct | undefined {
  const evaluate = compile(ast, { variables, depth: 0 });
  if (evaluate === undefined) return undefined;
  return (input, bound) => {
    if (Array.isArray(input)) return bailed; // the interpreter wraps it
    try {
      return evaluate(input, { root: input, variables: bound, left: budget });
    } catch (error) {
      if (error instanceof Bail || error instanceof RangeError) return bailed;
      throw error;
    }
  };
}

interface Context {
  readonly variables: readonly string[];
  readonly depth: number;
}

const plainFields = new Set(["type", "value", "position"]);
const fieldsOf: Readonly<Record<string, ReadonlySet<string>>> = {
  path: new Set(["steps", "group"]),
  binary: new Set(["lhs", "rhs"]),
  unary: new Set(["expression", "expressions", "lhs"]),
  condition: new Set(["condition", "then", "else"]),
  block: new Set(["expressions"]),
  function: new Set(["arguments", "procedure"]),
};

/** A node with a field that is not known here (sorting, bindings, `[]`, parents) is the interpreter's. */
function compile(node: AstNode, context: Context): Eval | undefined {
  if (context.depth > maxDepth) return undefined;
  const inner = { ...context, depth: context.depth + 1 };
  for (const [field, held] of Object.entries(node)) {
    if (plainFields.has(field) || fieldsOf[node.type]?.has(field) || held === undefined) continue;
    if (field === "predicate" || field === "stages") continue; // compiled below, and by the path
    return undefined;
  }
  const core = compileCore(node, inner);
  const predicates = compileFilters(node.predicate, inner);
  if (core === undefined || predicates === undefined) return undefined;
  if (predicates.length === 0) {
    return (input, run) => {
      spend(run, 1);
      return single(core(input, run));
    };
  }
  return (input, run) => {
    spend(run, 1);
    let result = core(input, run);
    for (const predicate of predicates) result = predicate(result, run);
    return single(result);
  };
}

function compileCore(node: AstNode, context: Context): Eval | undefined {
  switch (node.type) {
    case "path":
      return compilePath(node, context);
    case "name": {
      const name = String(node.value);
      return (input, run) => lookUp(input, name, run);
    }
    case "string":
    case "number":
    case "value": {
      const { value } = node;
      return () => value;
    }
    case "variable":
      return compileVariable(String(node.value), context);
    case "binary":
      return compileBinary(node, context);
    case "unary":
      return compileUnary(node, context);
    case "condition":
      return compileCondition(node, context);
    case "block":
      return compileBlock(node, context);
    case "function":
      return compileCall(node, context);
    default:
      return undefined;
  }
}

/** All of the nodes, or undefined when one of them needs the interpreter. */
function compileAll(nodes: unknown, context: Context): Eval[] | undefined {
  if (!Array.isArray(nodes)) return undefined;
  const all: Eval[] = [];
  for (const node of nodes) {
    const one = isAstNode(node) ? compile(node, context) : undefined;
    if (one === undefined) return undefined;
    all.push(one);
  }
  return all;
}

const compileOne = (node: unknown, context: Context): Eval | undefined =>
  isAstNode(node) ? compile(node, context) : undefined;

function compileFilters(stages: unknown, context: Context): Filter[] | undefined {
  if (stages === undefined) return [];
  const filters: Filter[] = [];
  for (const stage of stages as { type: string; expr: AstNode }[]) {
    // an array, by the interpreter's tree
    if (stage.type !== "filter") return undefined;
    const { expr } = stage;
    if (expr.type === "number") {
      const index = Math.floor(expr.value as number); // a number, by its type
      filters.push((input, run) => filter(index, input, run));
      continue;
    }
    const predicate = compile(expr, context);
    if (predicate === undefined) return undefined;
    filters.push((input, run) => filter(predicate, input, run));
  }
  return filters;
}

function compilePath(node: AstNode, context: Context): Eval | undefined {
  const nodes = node.steps as readonly AstNode[]; // a path has steps
  const steps = compileAll(
    nodes.map(({ stages: _, ...step }) => step),
    context,
  );
  const stages = nodes.map((step) => compileFilters(step.stages, context));
  const grouped = node.group === undefined ? undefined : compileGroup((node.group as AstNode).lhs, context);
  if (steps === undefined || stages.includes(undefined)) return undefined;
  if (node.group !== undefined && grouped === undefined) return undefined;
  const absolute = nodes[0]?.type === "variable";
  const last = steps.length - 1;
  return (input, run) => {
    let sequence: readonly unknown[] = Array.isArray(input) && !absolute ? input : [input];
    for (let i = 0; i <= last; i++) {
      sequence = stepOver(steps[i] as Eval, stages[i] as Filter[], sequence, i === last, run); // one of each for a step
      if (sequence.length === 0) break;
    }
    return grouped === undefined ? sequence : grouped(sequence, run);
  };
}

function compileVariable(name: string, { variables }: Context): Eval | undefined {
  if (name === "") return (input) => input;
  if (name === "$") return (_input, run) => run.root;
  return variables.includes(name) ? (_input, run) => run.variables[name] : undefined;
}

function compileCondition(node: AstNode, context: Context): Eval | undefined {
  const condition = compileOne(node.condition, context);
  const then = compileOne(node.then, context);
  const other = node.else === undefined ? () => undefined : compileOne(node.else, context);
  if (condition === undefined || then === undefined || other === undefined) return undefined;
  return (input, run) => (toBoolean(condition(input, run)) ? then(input, run) : other(input, run));
}

function compileBlock(node: AstNode, context: Context): Eval | undefined {
  const all = compileAll(node.expressions, context);
  if (all === undefined) return undefined;
  return (input, run) => {
    let result: unknown;
    for (const one of all) result = one(input, run);
    return result;
  };
}

function compileUnary(node: AstNode, context: Context): Eval | undefined {
  switch (node.value) {
    case "-": {
      const value = compileOne(node.expression, context);
      if (value === undefined) return undefined;
      return (input, run) => {
        const result = value(input, run);
        if (result === undefined) return undefined;
        return -toNumber(result);
      };
    }
    case "[": {
      const items = compileAll(node.expressions, context);
      if (items === undefined) return undefined;
      const nested = (node.expressions as readonly AstNode[]).map((item) => item.value === "["); // compiled above
      return (input, run) => {
        const result: unknown[] = [];
        for (const [i, item] of items.entries()) {
          const value = item(input, run);
          if (value === undefined) continue;
          if (Array.isArray(value) && !nested[i]) for (const one of value) result.push(one);
          else result.push(value);
          spend(run, Array.isArray(value) ? value.length : 1);
        }
        return result;
      };
    }
    case "{":
      return compileGroup(node.lhs, context);
    default:
      return undefined;
  }
}

/** An object for the items of a sequence: `{ key: value, … }`. */
function compileGroup(pairs: unknown, context: Context): Eval | undefined {
  if (!Array.isArray(pairs)) return undefined;
  const keys = compileAll(
    pairs.map(([key]) => key),
    context,
  );
  const values = compileAll(
    pairs.map(([, value]) => value),
    context,
  );
  if (keys === undefined || values === undefined) return undefined;
  return (input, run) => group(keys, values, input, run);
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

const comparison: Readonly<Record<string, (a: string | number, b: string | number) => boolean>> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

function compileBinary(node: AstNode, context: Context): Eval | undefined {
  const [lhs, rhs] = [compileOne(node.lhs, context), compileOne(node.rhs, context)];
  if (lhs === undefined || rhs === undefined) return undefined;
  const operator = String(node.value);
  if (operator === "and") return (input, run) => !!toBoolean(lhs(input, run)) && !!toBoolean(rhs(input, run));
  if (operator === "or") return (input, run) => !!toBoolean(lhs(input, run)) || !!toBoolean(rhs(input, run));
  const combine = compileOperator(operator);
  return combine && ((input, run) => combine(lhs(input, run), rhs(input, run)));
}

function compileOperator(operator: string): ((a: unknown, b: unknown) => unknown) | undefined {
  const calculate = arithmetic[operator];
  if (calculate !== undefined) {
    return (a, b) => {
      const left = a === undefined ? undefined : toNumber(a);
      const right = b === undefined ? undefined : toNumber(b);
      return left === undefined || right === undefined ? undefined : toNumber(calculate(left, right));
    };
  }
  const compare = comparison[operator];
  if (compare !== undefined) {
    return (a, b) => {
      if (!isComparable(a) || !isComparable(b)) throw new Bail();
      if (a === undefined || b === undefined) return undefined;
      if (typeof a !== typeof b) throw new Bail();
      return compare(a, b);
    };
  }
  switch (operator) {
    case "=":
      return (a, b) => a !== undefined && b !== undefined && equal(a, b);
    case "!=":
      return (a, b) => a !== undefined && b !== undefined && !equal(a, b);
    case "&":
      return (a, b) => toText(a) + toText(b);
    case "in":
      return (a, b) => a !== undefined && b !== undefined && (Array.isArray(b) ? b.includes(a) : b === a);
    default:
      return undefined;
  }
}

const isComparable = (value: unknown): value is string | number | undefined =>
  value === undefined || typeof value === "string" || typeof value === "number";

function compileCall(node: AstNode, context: Context): Eval | undefined {
  const { procedure } = node;
  if (!isAstNode(procedure) || procedure.type !== "variable" || "predicate" in procedure) return undefined;
  const name = String(procedure.value);
  const call = context.variables.includes(name) ? undefined : directFunctions.get(name);
  const given = compileAll(node.arguments, context);
  if (call === undefined || given === undefined) return undefined;
  const { length } = given;
  if (length === 0 && call.takesContext) return (input, run) => call.run([input], run);
  if (length < call.least || length > call.most) return undefined;
  return (input, run) =>
    call.run(
      given.map((argument) => argument(input, run)),
      run,
    );
}
