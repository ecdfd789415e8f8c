import type { FieldProblem, Json } from "#platform/kernel";
import { type ValueType, valueTypes } from "./conversion.ts";
import type { Expression, Expressions } from "./expression.ts";
import { toPlainJson } from "./plain-json.ts";
import { kindOf } from "./transform.ts";

/** A compiled mapping: what to compute for each target key. */
export type Plan =
  | { readonly kind: "constant"; readonly value: Json }
  | { readonly kind: "object"; readonly members: readonly (readonly [string, Plan])[] }
  | {
      readonly kind: "field";
      readonly from: Expression;
      readonly type?: ValueType;
      readonly optional: boolean;
      readonly fallback?: { readonly value: Json };
    };

const maxDepth = 32;
const fieldKeys = new Set(["from", "type", "optional", "default"]);
const forbiddenKeys = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Compiles a mapping and lists everything that is wrong with it. A text is a JSONata expression; numbers,
 * booleans and null stand for themselves; an object with `from` is a field; any other object is nested.
 */
export function compileMapping(
  mapping: unknown,
  expressions: Expressions,
): { plan: Plan; problems: FieldProblem[] } {
  const problems: FieldProblem[] = [];
  return { plan: compile(mapping, [], expressions, problems), problems };
}

const nothing: Plan = { kind: "constant", value: null };

function compile(
  spec: unknown,
  path: readonly string[],
  expressions: Expressions,
  problems: FieldProblem[],
): Plan {
  const refuse = (code: string, message: string, at = path): Plan => {
    problems.push({ path: at.join("."), code, message });
    return nothing;
  };
  if (typeof spec === "string") return compileField({ from: spec }, path, expressions, refuse);
  if (spec === null || typeof spec === "boolean") return { kind: "constant", value: spec };
  if (typeof spec === "number") {
    return Number.isFinite(spec)
      ? { kind: "constant", value: spec }
      : refuse("MAP_MAPPING", `${spec} is not JSON.`);
  }
  if (typeof spec !== "object" || Array.isArray(spec)) {
    return refuse("MAP_MAPPING", `A mapping holds expressions and objects, not ${kindOf(spec)}.`);
  }
  if (path.length >= maxDepth)
    return refuse("MAP_MAPPING", `The mapping is nested deeper than ${maxDepth} levels.`);
  const members = spec as Record<string, unknown>; // an object, by the checks above
  if (Object.hasOwn(members, "from")) return compileField(members, path, expressions, refuse);
  return {
    kind: "object",
    members: Object.entries(members).map(([key, member]) => {
      const at = [...path, key];
      if (forbiddenKeys.has(key))
        return [key, refuse("MAP_KEY_FORBIDDEN", `The key ${key} is not accepted.`, at)];
      return [key, compile(member, at, expressions, problems)];
    }),
  };
}

function compileField(
  field: Readonly<Record<string, unknown>>,
  path: readonly string[],
  expressions: Expressions,
  refuse: (code: string, message: string, at?: readonly string[]) => Plan,
): Plan {
  const stranger = Object.keys(field).find((key) => !fieldKeys.has(key));
  if (stranger !== undefined) {
    const hint = "For an object that has a key `from`, write it as one expression";
    return refuse(
      "MAP_MAPPING",
      `A field takes from, type, optional and default, not ${stranger}. ${hint}.`,
      [...path, stranger],
    );
  }
  const { from, type, optional = false } = field;
  if (typeof from !== "string")
    return refuse("MAP_MAPPING", `\`from\` must be an expression, not ${kindOf(from)}.`);
  if (typeof optional !== "boolean") return refuse("MAP_MAPPING", "`optional` must be true or false.");
  const known = valueTypes.find((name) => name === type);
  if (type !== undefined && known === undefined)
    return refuse("MAP_MAPPING", `\`type\` must be one of ${valueTypes.join(", ")}.`);
  const fallback = Object.hasOwn(field, "default") ? toPlainJson(field.default) : undefined;
  if (fallback?.ok === false) return refuse("MAP_MAPPING", `\`default\`: ${fallback.message}`);
  const compiled = expressions.compile(from);
  if (!compiled.ok) return refuse("MAP_EXPRESSION", compiled.message);
  return {
    kind: "field",
    from: compiled.expression,
    optional,
    ...(known === undefined ? {} : { type: known }),
    ...(fallback === undefined ? {} : { fallback: { value: fallback.value } }),
  };
}
