import { z } from "zod";

/** Name of a connection, secret, flow or principal as it stands in URLs. */
export const resourceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
    error: "must be 1 to 100 letters, digits, dots, dashes or underscores and start with a letter or digit",
  })
  .meta({ examples: ["wms"] });

/** An instant, ISO 8601 in UTC with milliseconds. */
export const instant = z.iso.datetime().meta({ examples: ["2026-01-05T09:30:00.000Z"] });

/** `sha256:` and 64 hex digits: how flows, policy bundles and actions are named by content. */
export const digest = z.string().meta({
  examples: ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
});

/** Any JSON value. */
export const json = z.unknown();

/** A JSON object with any fields. */
export const jsonObject = z.record(z.string(), z.unknown());

/** Free text to look for: matched literally and regardless of case. PostgreSQL keeps no U+0000. */
export const searchText = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .refine((text) => !text.includes("\0"), "must not hold U+0000");

/** Why a person decided as they did; it is signed into the receipt. */
export const reason = z.string().trim().min(3).max(2000);

/** Why a step or an action failed. `terminal` will fail the same way again; `retryable` may not. */
export const stepError = z
  .object({
    code: z.string(),
    message: z.string(),
    step: z.string().optional().meta({ description: "The step that failed, where there is one." }),
    retry: z.enum(["terminal", "retryable"]).optional(),
    retryAfterMs: z.number().optional(),
    line: z.int().optional(),
    column: z.int().optional(),
    path: z.string().optional(),
    details: json.optional(),
  })
  .meta({ id: "StepError" });

export type StepError = z.infer<typeof stepError>;
