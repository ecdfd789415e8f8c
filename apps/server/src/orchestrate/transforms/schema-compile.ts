import { Ajv, type AnySchema, type ErrorObject, type Options, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { FieldProblem } from "#platform/kernel";
import { canonicalJson } from "#platform/kernel";
import { BoundedCache } from "./bounded-cache.ts";
import { createPattern } from "./bounded-regexp.ts";
import { kindOf } from "./transform.ts";

export type CompiledSchema =
  | { readonly ok: true; readonly validate: ValidateFunction }
  | { readonly ok: false; readonly message: string };

export interface Schemas {
  /** Cached by content, the most recently used 200. */
  compile(schema: unknown): CompiledSchema;
}

/** Words that other tools write into schemas and that say nothing about validity. */
const annotations = ["example", "externalDocs", "xml", "discriminator"];
const dialects = {
  "2020-12": /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/,
  "draft-07": /^http:\/\/json-schema\.org\/draft-07\/schema#?$/,
} as const;

/**
 * JSON Schema 2020-12, or draft-07 where `$schema` names it. Reports all errors; refuses unknown keywords
 * and formats (a misspelt `required` would let everything pass), asynchronous schemas and references to
 * anything outside the schema. Values are never coerced nor filled with defaults.
 */
export function createSchemas(): Schemas {
  const byContent = new BoundedCache<string, CompiledSchema>(200);
  return {
    compile(schema) {
      if (
        typeof schema !== "boolean" &&
        (typeof schema !== "object" || schema === null || Array.isArray(schema))
      ) {
        return { ok: false, message: `A schema is an object or a boolean, not ${kindOf(schema)}.` };
      }
      let content: string;
      try {
        content = canonicalJson(schema);
      } catch (error) {
        return { ok: false, message: `The schema is not JSON: ${String(error).slice(0, 200)}.` };
      }
      return byContent.get(content, () => compileContent(content));
    },
  };
}

function compileContent(content: string): CompiledSchema {
  const schema = JSON.parse(content) as AnySchema & Record<string, unknown>; // object or boolean, by the caller's check
  const named = typeof schema === "object" ? schema.$schema : undefined;
  const is2020 = named === undefined || dialects["2020-12"].test(String(named));
  if (!is2020 && !dialects["draft-07"].test(String(named))) {
    return { ok: false, message: `$schema ${String(named)} is not supported; use 2020-12 or draft-07.` };
  }
  if (typeof schema === "object" && schema.$async !== undefined) {
    return { ok: false, message: "Asynchronous schemas ($async) are not supported." };
  }
  try {
    const ajv = is2020 ? new Ajv2020(options) : new Ajv(options);
    addFormats.default(ajv);
    for (const word of annotations) ajv.addKeyword(word);
    return { ok: true, validate: ajv.compile(schema) };
  } catch (error) {
    return {
      ok: false,
      message: `${error instanceof Error ? error.message.slice(0, 500) : "not a JSON Schema"}.`,
    };
  }
}

const options: Options = {
  allErrors: true,
  strictSchema: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allowUnionTypes: true,
  validateFormats: true,
  logger: false,
  ownProperties: true,
  code: {
    regExp: Object.assign((source: string, flags: string) => createPattern(source, flags), {
      code: "createPattern", // only written out when ajv exports standalone code, which never happens here
    }),
  },
};

/** One error of ajv as a problem: `path` is the JSON pointer of the faulty value, `code` the keyword. */
export function toProblem(error: ErrorObject): FieldProblem {
  const params = error.params as Record<string, unknown>; // keyed by keyword in ajv's documentation
  const path = error.instancePath;
  return {
    path,
    code: error.keyword,
    message: `${path === "" ? "The value" : path} ${explain(error, params)}`,
  };
}

function explain(error: ErrorObject, params: Record<string, unknown>): string {
  switch (error.keyword) {
    case "required":
    case "dependentRequired":
      return `must have the property ${String(params.missingProperty)}`;
    case "additionalProperties":
      return `must not have the property ${String(params.additionalProperty)}`;
    case "unevaluatedProperties":
      return `must not have the property ${String(params.unevaluatedProperty)}`;
    case "enum":
      return `must be one of ${JSON.stringify(params.allowedValues).slice(0, 300)}`;
    case "const":
      return `must be ${JSON.stringify(params.allowedValue).slice(0, 300)}`;
    case "propertyNames":
      return `has a property name that is not allowed: ${String(params.propertyName)}`;
    default:
      return error.message ?? `does not fit ${error.keyword}`;
  }
}
