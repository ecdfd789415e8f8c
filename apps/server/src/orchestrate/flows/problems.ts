/** Problems of a definition: found by path, told to the author with a line and a column. */
import type { FieldProblem } from "#platform/kernel";
import type { ProblemCode } from "./problem-codes.ts";
import type { Positions } from "./source-positions.ts";

export type Path = readonly (string | number)[];

/** A problem before it has a place. `on` says whether the key or the value of `path` is wrong. */
export interface Problem {
  readonly path: Path;
  readonly code: ProblemCode;
  readonly message: string;
  readonly on?: "key" | "value";
  /** Offset inside the text at `path`, for problems of an expression. */
  readonly offset?: number;
  /** Offset in the source, for faults of the text that belong to no path. */
  readonly at?: number;
}

const maxProblems = 100;

/** `steps.ship.retry.attempts`, `triggers[0].webhook.slug`, `steps.ship.with["a b"]`. */
export function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (!/^[A-Za-z_][\w-]*$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** Problems in the order of the source, each once, at most 100; without positions in the order found. */
export function placeProblems(problems: readonly Problem[], positions: Positions | null): FieldProblem[] {
  const seen = new Set<string>();
  const placed: FieldProblem[] = [];
  for (const { path, code, message, on, offset, at } of problems) {
    const field = pathText(path);
    const key = `${field} ${code} ${message} ${offset ?? at ?? ""}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const place = at === undefined ? positions?.placeOf(path, on ?? "value", offset) : positions?.at(at);
    placed.push({ path: field, code, message, ...(place ?? {}) });
  }
  placed.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  return placed.slice(0, maxProblems);
}
