/** What is known before any run of the values that expressions read, and whether a place can take them. */
import type { z } from "zod";
import type { Draft } from "./draft.ts";
import { isParamType, type ParamType } from "./param-values.ts";
import { splitPlaceholders } from "./placeholders.ts";
import { type PlainPath, parsePlainPath } from "./plain-path.ts";
import type { Path } from "./problems.ts";
import { schemasAt, typesOf } from "./schema-walk.ts";
import { quoteStepNames } from "./step-quoting.ts";

/** Fields of `trigger` in the `params` of a webhook; the type of each, null where it depends on the request. */
export const webhookTrigger: Readonly<Record<string, ParamType | null>> = {
  id: "string",
  text: "string",
  json: null,
  query: "object",
  contentType: null,
};

/** Types without fields. */
export const isScalarType = (type: ParamType): boolean => type !== "object" && type !== "array";

export interface TextType {
  readonly type: ParamType;
  /** The placeholder that gives the value; null for text with placeholders in it. */
  readonly source: string | null;
}

/** The type that a text renders to, as far as the definition shows it. */
export function typeOfText(draft: Draft, text: string, reader: "webhook" | "run"): TextType | undefined {
  const split = splitPlaceholders(text);
  if (!split.ok) return undefined;
  const [only, second] = split.parts;
  if (only?.kind !== "expression" || second !== undefined) return { type: "string", source: null };
  const path = parsePlainPath(quoteStepNames(only.source).source);
  const type = path === null ? undefined : typeOfPath(draft, path, reader);
  return type === undefined ? undefined : { type, source: only.source.trim() };
}

function typeOfPath(draft: Draft, path: PlainPath, reader: "webhook" | "run"): ParamType | undefined {
  const [root, name, field] = path;
  if (root === "index" && path.length === 1) return "integer";
  if (root === "params" && path.length === 1) return "object";
  if (typeof name !== "string") return undefined;
  if (root === "params" && path.length === 2) return typeOfParam(draft, name);
  if (root === "run" && path.length === 2) return "string";
  if (root === "trigger" && path.length === 2 && reader === "webhook")
    return webhookTrigger[name] ?? undefined;
  if (root !== "steps" || path.length !== 3) return undefined;
  if (field === "status") return "string";
  const step = draft.steps.get(name);
  return step?.forEach && (field === "errors" || (field === "output" && listAlways(step)))
    ? "array"
    : undefined;
}

/** Nothing but the items gives the output: no fallback, and no operator who may put another in its place. */
const listAlways = (step: { readonly fallback: unknown; readonly skippable: boolean }): boolean =>
  step.fallback === null && !step.skippable;

export function typeOfParam(draft: Draft, name: string): ParamType | undefined {
  const type = draft.params.get(name)?.type;
  return isParamType(type) ? type : undefined;
}

/** Whether a value of type `from` can be one of type `to`: a number may turn out to be whole. */
export const fitsType = (from: ParamType, to: ParamType): boolean =>
  from === to || (from === "integer" && to === "number") || (from === "number" && to === "integer");

/** The types that the schema takes at `path`, when `type` is none of them; null when it may fit. */
export function typesInstead(schema: z.ZodType, path: Path, type: ParamType): readonly string[] | null {
  const types = typesOf(schemasAt(schema, path));
  if (types === null || types.length === 0) return null;
  return types.some((one) => isParamType(one) && fitsType(type, one)) ? null : types;
}
