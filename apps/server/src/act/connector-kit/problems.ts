import type { z } from "zod";
import type { FieldProblem } from "#platform/kernel";

/** Every fault that a schema found, with dotted paths under `prefix`. Values are not repeated: they may be secrets. */
export const problemsOf = (error: z.ZodError, prefix: string): FieldProblem[] =>
  error.issues.flatMap((issue) => {
    const path = [prefix, ...issue.path.map(String)].filter((part) => part !== "").join(".");
    if (issue.code !== "unrecognized_keys") return [{ path, code: issue.code, message: issue.message }];
    return issue.keys.map((key) => ({
      path: `${path}.${key}`.slice(0, 300),
      code: "unknown_field",
      message: "there is no such field",
    }));
  });
