import type { StepError } from "./domain.ts";

/** What a step's author sees of an exception: codes and messages of known errors, nothing of a bug but that it happened. */
export function toStepError(error: unknown): StepError {
  const known =
    typeof error === "object" && error !== null && "code" in error && typeof error.code === "string";
  const code = known ? String(error.code) : "STEP_FAILED";
  const message = error instanceof Error ? error.message : "The step failed.";
  const errors = typeof error === "object" && error !== null && "errors" in error ? error.errors : undefined;
  return { code, message, ...(Array.isArray(errors) && errors.length > 0 ? { details: errors } : {}) };
}

/** The step's `with`, once its expressions had their values, does not fit the kind. */
export const toInputError = (issues: readonly { path: PropertyKey[]; message: string }[]): StepError => ({
  code: "STEP_INPUT_INVALID",
  message: issues.map((i) => `${i.path.map(String).join(".") || "with"}: ${i.message}`).join("; "),
  details: issues.map((i) => ({ path: i.path.map(String).join("."), message: i.message })),
});
