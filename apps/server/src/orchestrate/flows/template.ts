/**
 * Templates: JSON with `{{ JSONata }}` in its strings.
 *
 * A string that is one placeholder keeps the type of its value; in longer text, objects and lists
 * become JSON and what is missing becomes nothing. A member of an object that selects nothing is left
 * out, an item of a list becomes null. Values are passed on as they are: treat them as immutable.
 */
import { compileExpression } from "./expression.ts";
import { setOwn } from "./jsonata-result.ts";
import { hasPlaceholder, splitPlaceholders } from "./placeholders.ts";
import { type Path, type Problem, pathText } from "./problems.ts";
import type { Computed, Reference } from "./references.ts";

/** What expressions read. */
export interface Scope {
  readonly params: Record<string, unknown>;
  readonly steps: Record<
    string,
    {
      readonly output: unknown;
      readonly status: string;
      readonly error?: unknown;
      /** Of a `forEach` that goes on: what failed. */
      readonly errors?: unknown;
    }
  >;
  readonly run: {
    readonly id: string;
    readonly flow: string;
    readonly version: string;
    readonly startedAt: string;
  };
  readonly trigger: Record<string, unknown>;
  /** Why the step failed; only for `onError: {fallback}`. */
  readonly error?: unknown;
  /** Of a `forEach`: one item, its place counted from 0, and its key; only for `with`, and for `key` the first two. */
  readonly item?: unknown;
  readonly index?: number;
  readonly key?: string | null;
  /** Of the step itself; only for the question of its gate. */
  readonly output?: unknown;
}

export interface Template {
  /** Names of the steps that the template reads. */
  readonly refs: readonly string[];
  /** A value, or a promise where an expression needs the evaluator. Fails with ExpressionError. */
  render(scope: Scope): unknown | Promise<unknown>;
}

/** A reference and the place of its string in the definition. */
export interface PlacedReference {
  readonly path: Path;
  readonly reference: Reference | Computed;
}

export interface CompiledTemplate {
  readonly template: Template;
  readonly references: readonly PlacedReference[];
  readonly problems: readonly Problem[];
}

type Render = (scope: Scope) => unknown;

/** Compiles a value of the definition that stands at `path`. With problems, the template is not to be used. */
export function compileTemplate(value: unknown, path: Path): CompiledTemplate {
  const references: PlacedReference[] = [];
  const problems: Problem[] = [];
  const render = compileValue(value, path, references, problems) ?? (() => value);
  const refs = new Set<string>();
  for (const { reference } of references) {
    if (!("computed" in reference) && reference.root === "steps" && reference.name !== null)
      refs.add(reference.name);
  }
  return { template: { refs: [...refs], render }, references, problems };
}

/** A template that renders to text: what a lone placeholder gives is written out as in longer text. */
export function compileText(text: string, path: Path): Template {
  const { refs, render } = compileTemplate(text, path).template;
  return { refs, render: (scope) => joinText([render(scope)]) };
}

/** Null when the value holds no placeholder, so that constant parts are shared instead of rebuilt. */
function compileValue(
  value: unknown,
  path: Path,
  references: PlacedReference[],
  problems: Problem[],
): Render | null {
  if (typeof value === "string")
    return hasPlaceholder(value) ? compileParts(value, path, references, problems) : null;
  if (typeof value !== "object" || value === null) return null;
  const isList = Array.isArray(value);
  const parts = (isList ? [...value.entries()] : Object.entries(value)).map(([key, part]) => ({
    key,
    part: part as unknown,
    render: compileValue(part, [...path, key], references, problems),
  }));
  if (parts.every(({ render }) => render === null)) return null;
  return (scope) => {
    const values = parts.map(({ part, render }) => (render === null ? part : render(scope)));
    const build = (all: readonly unknown[]): unknown =>
      isList ? all.map((item) => item ?? null) : toObject(parts, all);
    return values.some(isPromise) ? Promise.all(values).then(build) : build(values);
  };
}

function toObject(
  parts: readonly { key: string | number }[],
  values: readonly unknown[],
): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [index, { key }] of parts.entries()) {
    if (values[index] !== undefined) setOwn(object, String(key), values[index]);
  }
  return object;
}

function compileParts(
  text: string,
  path: Path,
  references: PlacedReference[],
  problems: Problem[],
): Render | null {
  const split = splitPlaceholders(text);
  if (!split.ok) {
    const message = "the {{ has no }}; to write {{ itself, use {{ '{{' }}";
    problems.push({ path, code: "EXPRESSION_UNCLOSED", message, offset: split.offset });
    return null;
  }
  const renders: Render[] = [];
  for (const part of split.parts) {
    if (part.kind === "text") {
      renders.push(() => part.text);
      continue;
    }
    const compiled = compileExpression(part.source, pathText(path));
    if (!compiled.ok) {
      const { code, message, offset } = compiled;
      problems.push({ path, code, message, offset: part.start + offset });
      continue;
    }
    for (const use of compiled.expression.references) {
      references.push({ path, reference: { ...use, offset: part.start + use.offset } });
    }
    renders.push((scope) => compiled.expression.evaluate(scope));
  }
  const [only] = renders;
  return split.parts.length === 1 && only !== undefined
    ? only
    : (scope) => joinText(renders.map((render) => render(scope)));
}

const joinText = (values: readonly unknown[]): string | Promise<string> =>
  values.some(isPromise)
    ? Promise.all(values).then((all) => all.map(toText).join(""))
    : values.map(toText).join("");

function toText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

const isPromise = (value: unknown): value is Promise<unknown> => value instanceof Promise;

/** The truth rule of JSONata: nothing, false, 0, "", and lists and objects without content are not true. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isTrue);
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
