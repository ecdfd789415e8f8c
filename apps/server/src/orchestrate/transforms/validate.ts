import { strictObject, unknown } from "zod";
import { PatternTimeout } from "./bounded-regexp.ts";
import { toPlainJson } from "./plain-json.ts";
import { createSchemas, toProblem } from "./schema-compile.ts";
import { defineTransform, failure, limits, success, type Transform } from "./transform.ts";

/**
 * `validate`: gives `input` on unchanged when it fits `schema`. Fails with SCHEMA_MISMATCH (details: every
 * problem as { path, code, message }, 100 at most), SCHEMA_INVALID, SCHEMA_TIMEOUT, SCHEMA_TOO_DEEP and
 * the other SCHEMA_* codes for input that is no plain JSON.
 */
export function createValidate(): Transform {
  const schemas = createSchemas();
  const config = strictObject({
    input: unknown(),
    schema: unknown().superRefine((schema, context) => {
      const compiled = schemas.compile(schema);
      if (!compiled.ok) {
        context.addIssue({ code: "custom", message: compiled.message, params: { code: "SCHEMA_INVALID" } });
      }
    }),
  });

  return defineTransform({
    name: "validate",
    config,
    run({ input, schema }) {
      const compiled = schemas.compile(schema);
      if (!compiled.ok) return failure("SCHEMA_INVALID", compiled.message, { path: "schema" });
      const plain = toPlainJson(input);
      if (!plain.ok) return failure(`SCHEMA_${plain.kind}`, plain.message, { path: plain.path });
      try {
        if (compiled.validate(plain.value)) return success(plain.value);
      } catch (error) {
        if (error instanceof PatternTimeout)
          return failure("SCHEMA_TIMEOUT", `Validation was stopped: ${error.message}.`);
        if (error instanceof RangeError)
          return failure("SCHEMA_TOO_DEEP", "The schema refers to itself without end.");
        throw error;
      }
      const errors = compiled.validate.errors ?? [];
      const problems = errors.slice(0, limits.problems).map(toProblem);
      const count = errors.length === 1 ? "" : ` (${errors.length} problems; see details)`;
      return failure("SCHEMA_MISMATCH", `${problems[0]?.message ?? "The value does not fit"}${count}.`, {
        path: problems[0]?.path ?? "",
        details: problems.map((problem) => ({ ...problem })),
      });
    },
  });
}
