import type { output, ZodType } from "zod";
import type { FieldProblem, Json } from "#platform/kernel";

/** Bounds that every transform holds; what lies beyond them is refused with a code, never truncated. */
export const limits = {
  /** Characters of one text input or output: the payload limit of a run. */
  chars: 50 * 1024 * 1024,
  /** Nesting of elements, objects and arrays. */
  depth: 128,
  /** Values (leaves and containers) in one output. */
  nodes: 2_000_000,
  /** Problems listed in the details of one failure; the message counts all. */
  problems: 100,
} as const;

/** Why a transform gave no output. `line` and `column` count from 1 in the source text that failed. */
export interface TransformFailure {
  readonly code: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
  readonly details?: Json;
}

export type TransformResult =
  | { readonly ok: true; readonly output: Json }
  | { readonly ok: false; readonly error: TransformFailure };

/**
 * A pure function of its config: same config, same result; the config is never changed; the output is
 * plain JSON that the database can hold (no U+0000, no lone surrogates). Failures are data.
 */
export interface Transform {
  readonly name: string;
  readonly version: 1;
  readonly config: ZodType;
  /** Checks `config` itself (CONFIG_INVALID), so a config that `config` has parsed already is fine too. */
  run(config: unknown): TransformResult | Promise<TransformResult>;
}

export const success = (output: Json): TransformResult => ({ ok: true, output });

export const failure = (
  code: string,
  message: string,
  where: Omit<TransformFailure, "code" | "message"> = {},
): TransformResult => ({ ok: false, error: { code, message, ...where } });

/** One failure for several problems: the first one speaks, the details list them (100 at most). */
export function failureOf(problems: readonly [FieldProblem, ...FieldProblem[]]): TransformResult {
  const [first] = problems;
  const more = problems.length === 1 ? "" : ` (and ${problems.length - 1} more; see details)`;
  return failure(first.code, first.message + more, {
    ...(first.line === undefined ? {} : { line: first.line }),
    ...(first.column === undefined ? {} : { column: first.column }),
    path: first.path,
    details: problems.slice(0, limits.problems).map((p) => ({ ...p })),
  });
}

export interface TransformSpec<Schema extends ZodType> {
  readonly name: string;
  readonly config: Schema;
  run(config: output<Schema>): TransformResult | Promise<TransformResult>;
}

export function defineTransform<Schema extends ZodType>(spec: TransformSpec<Schema>): Transform {
  return {
    name: spec.name,
    version: 1,
    config: spec.config,
    run(config) {
      const parsed = spec.config.safeParse(config);
      if (parsed.success) return spec.run(parsed.data);
      const [first, ...rest] = parsed.error.issues.map((issue) => ({
        path: issue.path.map(String).join("."),
        code: issueCode(issue),
        message: `${spec.name}: ${issue.path.map(String).join(".") || "config"}: ${issue.message}`,
      }));
      return first === undefined
        ? failure("CONFIG_INVALID", `${spec.name}: the config does not fit.`)
        : failureOf([first, ...rest]);
    },
  };
}

/** A check of a transform names its own code in the params of a custom issue. */
function issueCode(issue: { readonly code: string; readonly params?: unknown }): string {
  const params = issue.params;
  const own = typeof params === "object" && params !== null && "code" in params ? params.code : undefined;
  return typeof own === "string" ? own : "CONFIG_INVALID";
}

/** The text of a parser's input, or the reason why there is none to parse. */
export function textInput(value: unknown, name: string): string | TransformResult {
  if (typeof value !== "string") {
    return failure("INPUT_TYPE", `${name} needs text, but \`text\` is ${kindOf(value)}.`, { path: "text" });
  }
  if (value.length > limits.chars) {
    return failure(
      "INPUT_TOO_LARGE",
      `The text has ${value.length} characters; ${limits.chars} are allowed.`,
      {
        path: "text",
      },
    );
  }
  return value.charCodeAt(0) === 0xfeff ? value.slice(1) : value;
}

/** What a value is, in the words of a message. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
