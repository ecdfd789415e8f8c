import type { z } from "zod";
import type { FieldProblem } from "#platform/kernel";

type Issue = z.core.$ZodIssue;

/**
 * Every fault that a schema found, as field problems with dotted paths under `prefix`. An unknown field is
 * one problem each. Where a value fits none of several forms, the faults of the nearest form are told.
 */
export function fieldProblemsOf(error: z.ZodError, prefix: string): FieldProblem[] {
  const at = prefix === "" ? [] : [prefix];
  return error.issues.flatMap((issue) => problemsOf(issue, at)).slice(0, maxProblems);
}

const maxProblems = 100;

function problemsOf(issue: Issue, prefix: readonly PropertyKey[]): FieldProblem[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => problem([...path, key], "unknown_field", "there is no such field"));
  }
  if (issue.code === "invalid_union") {
    const nearest = issue.errors.toSorted((a, b) => weight(a) - weight(b))[0];
    if (nearest !== undefined && nearest.length > 0) return nearest.flatMap((i) => problemsOf(i, path));
  }
  const missing = "input" in issue && issue.input === undefined;
  return [problem(path, missing ? "required" : issue.code, missing ? "is required" : issue.message)];
}

const weight = (issues: readonly Issue[]): number =>
  issues.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 1), 0);

const problem = (path: readonly PropertyKey[], code: string, message: string): FieldProblem => ({
  path: path.map(String).join(".").slice(0, 300),
  code,
  message,
});
