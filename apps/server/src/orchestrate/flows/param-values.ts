/** Values of parameters: do they fit what the flow declares, and what a run starts with. */
import type { FlowParam } from "@oars/contract";
import { canonicalJson, type FieldProblem } from "#platform/kernel";
import { setOwn } from "./jsonata-result.ts";
import { didYouMean } from "./near-names.ts";
import { pathText } from "./problems.ts";

export type ParamType = FlowParam["type"];

const fits: Readonly<Record<ParamType, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number" && Number.isFinite(value),
  integer: (value) => Number.isSafeInteger(value),
  boolean: (value) => typeof value === "boolean",
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  array: (value) => Array.isArray(value),
};

/** What a value of the type is called in sentences. */
export const typeTexts: Readonly<Record<ParamType, string>> = {
  string: "text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
};

export const isParamType = (type: unknown): type is ParamType =>
  typeof type === "string" && Object.hasOwn(fits, type);

/** What is wrong with a value for a parameter, as the end of a sentence; null when it fits. */
export function valueFault(
  type: ParamType,
  allowed: readonly unknown[] | undefined,
  value: unknown,
): { readonly code: "PARAM_TYPE" | "PARAM_ENUM"; readonly message: string } | null {
  if (!fits[type](value)) return { code: "PARAM_TYPE", message: `must be ${typeTexts[type]}` };
  if (allowed === undefined || allowed.some((one) => same(one, value))) return null;
  const shown = allowed.map((one) => JSON.stringify(one)).join(", ");
  const near = typeof value === "string" ? didYouMean(value, allowed.map(String)) : "";
  return { code: "PARAM_ENUM", message: `must be one of ${shown}.${near}` };
}

const same = (a: unknown, b: unknown): boolean => a === b || canonicalJson(a) === canonicalJson(b);

export type CheckedParams =
  | { readonly ok: true; readonly params: Record<string, unknown> }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

/**
 * The parameters of a run with defaults filled in, or everything that is wrong with them. `given` is
 * hostile; only its own fields are read. Codes: PARAM_REQUIRED, PARAM_TYPE, PARAM_ENUM, PARAM_UNKNOWN.
 */
export function fillParams(declared: Readonly<Record<string, FlowParam>>, given: unknown): CheckedParams {
  const problems: FieldProblem[] = [];
  const params: Record<string, unknown> = {};
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return { ok: false, problems: [{ path: "params", code: "PARAM_TYPE", message: "must be an object" }] };
  }
  const values = new Map<string, unknown>(Object.entries(given));
  for (const [name, param] of Object.entries(declared)) {
    const value = values.get(name);
    if (value === undefined) {
      if (Object.hasOwn(param, "default")) setOwn(params, name, param.default);
      else if (param.required) {
        problems.push({
          path: pathText(["params", name]),
          code: "PARAM_REQUIRED",
          message: `"${name}" is required`,
        });
      }
      continue;
    }
    const fault = valueFault(param.type, param.enum, value);
    if (fault === null) setOwn(params, name, value);
    else problems.push({ path: pathText(["params", name]), ...fault });
  }
  for (const name of values.keys()) {
    if (Object.hasOwn(declared, name)) continue;
    const message = `The flow has no parameter "${name}".${didYouMean(name, Object.keys(declared))}`;
    problems.push({ path: pathText(["params", name]), code: "PARAM_UNKNOWN", message });
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, params };
}
