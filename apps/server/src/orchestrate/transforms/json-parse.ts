import { enum as oneOf, strictObject, unknown } from "zod";
import { findJsonFault } from "./json-scan.ts";
import { toPlainJson } from "./plain-json.ts";
import { describePosition, positionAt } from "./source-position.ts";
import { defineTransform, failure, success, type TransformResult, textInput } from "./transform.ts";

const config = strictObject({
  text: unknown(),
  /** Integers beyond 2^53 and numbers beyond 1.8e308: refuse them, or keep their digits as text. */
  bigNumbers: oneOf(["refuse", "text"]).default("refuse"),
});

const long = /[0-9]{16}|[eE][+-]?[0-9]{3}/;

/**
 * JSON text (RFC 8259) to its value. Fails with JSON_EMPTY, JSON_MALFORMED and JSON_TOO_DEEP (line and
 * column), JSON_NUMBER, JSON_KEY_FORBIDDEN, JSON_CHARACTER and JSON_TOO_LARGE (path).
 */
export const jsonParse = defineTransform({
  name: "json.parse",
  config,
  run(options) {
    const text = textInput(options.text, "json.parse");
    if (typeof text !== "string") return text;
    if (text.trim() === "")
      return failure("JSON_EMPTY", "The text is empty; expected a JSON value.", { line: 1, column: 1 });
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return located(text) ?? failure("JSON_MALFORMED", error instanceof Error ? error.message : "not JSON");
    }
    let plain = toPlainJson(value);
    if ((plain.ok || plain.kind === "NUMBER") && long.test(text)) {
      const faults: string[] = [];
      value = JSON.parse(text, exactNumbers(options.bigNumbers === "text", faults));
      if (faults[0] !== undefined) {
        const hint = 'Send it as text, or set bigNumbers: "text".';
        return failure(
          "JSON_NUMBER",
          `The number ${faults[0].slice(0, 60)} does not fit a double exactly. ${hint}`,
        );
      }
      plain = toPlainJson(value);
    }
    if (plain.ok) return success(plain.value);
    const where = plain.kind === "TOO_DEEP" ? located(text) : undefined;
    return where ?? failure(`JSON_${plain.kind}`, plain.message, { path: plain.path });
  },
});

function located(text: string): TransformResult | undefined {
  const fault = findJsonFault(text);
  if (fault === undefined) return undefined;
  const where = positionAt(text, fault.offset);
  const code = fault.deep === true ? "JSON_TOO_DEEP" : "JSON_MALFORMED";
  return failure(code, `${fault.message} (${describePosition(where)}).`, where);
}

/** A reviver that sees each number's digits. Runs only on text whose depth has been checked. */
const exactNumbers =
  (asText: boolean, faults: string[]) =>
  (_key: string, value: unknown, context?: { source?: string }): unknown => {
    if (typeof value !== "number" || context?.source === undefined) return value;
    const whole = /^-?[0-9]+$/.test(context.source);
    if (Number.isFinite(value) && (!whole || Number.isSafeInteger(value))) return value;
    if (!asText) faults.push(context.source);
    return context.source;
  };
