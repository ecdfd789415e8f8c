import { ExpressionError } from "#orchestrate/flows";
import { isOarsError } from "#platform/kernel";
import type { StepError } from "./domain.ts";

/** What a step's author sees of an exception: codes and messages of known errors, nothing of a bug but that it happened. */
export function toStepError(error: unknown): StepError {
  if (error instanceof ExpressionError) return { code: error.code, message: error.message, path: error.path };
  if (!isOarsError(error))
    return { code: "STEP_FAILED", message: "The step failed by a fault of the server." };
  const { code, message, errors } = error;
  return { code, message, ...(errors.length > 0 ? { details: errors } : {}) };
}

/** True for errors that their author can do something about; the others are ours, and are logged. */
export const isToldError = (error: unknown): boolean =>
  error instanceof ExpressionError || isOarsError(error);

/** The step's `with`, once its expressions had their values, does not fit the kind. */
export const toInputError = (issues: readonly { path: PropertyKey[]; message: string }[]): StepError => ({
  code: "STEP_INPUT_INVALID",
  message: issues.map((i) => `${i.path.map(String).join(".") || "with"}: ${i.message}`).join("; "),
  details: issues.map((i) => ({ path: i.path.map(String).join("."), message: i.message })),
});

export type JsonText = { readonly text: string | null } | { readonly fault: StepError };

const mostChars = 50 * 1024 * 1024;
const unstorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

/**
 * The JSON text of an output, or why it cannot be kept: it is too large, or a text in it holds U+0000 or half a
 * surrogate pair, which PostgreSQL's jsonb does not take.
 */
export function toJsonText(value: unknown): JsonText {
  if (value === null || value === undefined) return { text: null };
  const text = JSON.stringify(value);
  if (text.length > mostChars) {
    const message = `The output has ${text.length} characters; at most ${mostChars} can be kept.`;
    return { fault: { code: "OUTPUT_TOO_LARGE", message } };
  }
  if (!text.includes("\\u") || !unstorable.test(text)) return { text };
  const message = "A text in the output holds U+0000 or half a surrogate pair.";
  return { fault: { code: "OUTPUT_INVALID", message } };
}
