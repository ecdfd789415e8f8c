/** Parameters that a definition gives to a run: of its own by a webhook, of another flow by a step. */
import type { Draft } from "./draft.ts";
import { holdsPlaceholder } from "./draft.ts";
import { didYouMean } from "./near-names.ts";
import { isParamType, type ParamType, typeTexts, valueFault } from "./param-values.ts";
import type { Path, Problem } from "./problems.ts";
import { fitsType, typeOfText } from "./scope-types.ts";

type Declared = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

export interface GivenParams {
  readonly by: "TRIGGER" | "CHILD";
  /** The flow whose parameters they are, as the start of a sentence. */
  readonly flow: string;
  readonly declared: Declared;
  readonly given: Readonly<Record<string, unknown>>;
  readonly path: Path;
  /** Why a required parameter must stand here. */
  readonly otherwise: string;
}

export function checkGivenParams(draft: Draft, params: GivenParams): Problem[] {
  const { by, flow, declared, given, path, otherwise } = params;
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(given)) {
    const param = declared.get(name);
    const at = [...path, name];
    if (param === undefined) {
      const message = `${flow} has no parameter "${name}".${didYouMean(name, declared.keys())}`;
      problems.push({ path: at, code: `${by}_PARAM_UNKNOWN`, message, on: "key" });
    } else problems.push(...checkValue(draft, params, at, param, value));
  }
  for (const [name, param] of declared) {
    if (param.required !== true || Object.hasOwn(param, "default") || Object.hasOwn(given, name)) continue;
    const message = `the required parameter "${name}" is missing, so ${otherwise}`;
    problems.push({ path, code: `${by}_PARAM_MISSING`, message, on: "key" });
  }
  return problems;
}

function checkValue(
  draft: Draft,
  { by }: GivenParams,
  path: Path,
  param: Readonly<Record<string, unknown>>,
  value: unknown,
): Problem[] {
  const { type } = param;
  if (param.secret === true && !holdsPlaceholder(value)) {
    const message = "the parameter is a secret and would stand here in clear; give it with {{ }}";
    return [{ path, code: "SECRET_IN_CLEAR", message }];
  }
  if (!isParamType(type)) return [];
  if (typeof value === "string" && holdsPlaceholder(value)) {
    const given = typeOfText(draft, value, by === "TRIGGER" ? "webhook" : "run");
    return given === undefined || fitsType(given.type, type) ? [] : [typeFault(by, path, type, given)];
  }
  const allowed: unknown[] | undefined =
    Array.isArray(param.enum) && !holdsPlaceholder(value) ? param.enum : undefined;
  const fault = valueFault(type, allowed, value);
  return fault === null ? [] : [{ path, code: `${by}_${fault.code}`, message: fault.message }];
}

function typeFault(
  by: GivenParams["by"],
  path: Path,
  wanted: ParamType,
  given: { readonly type: ParamType; readonly source: string | null },
): Problem {
  const message = `must be ${typeTexts[wanted]}`;
  return given.source === null
    ? { path, code: `${by}_PARAM_TYPE`, message: `${message}, not text` }
    : { path, code: "REFERENCE_TYPE", message: `${message}; ${given.source} is ${typeTexts[given.type]}` };
}
