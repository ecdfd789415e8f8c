import { csvParse } from "./csv-parse.ts";
import { jsonParse } from "./json-parse.ts";
import { createMap } from "./map.ts";
import { score } from "./score.ts";
import type { Transform } from "./transform.ts";
import { createValidate } from "./validate.ts";
import { xmlParse } from "./xml-parse.ts";

export { createMap } from "./map.ts";
export { type CompiledSchema, createSchemas, type Schemas, toProblem } from "./schema-compile.ts";
export type { Transform, TransformFailure, TransformResult } from "./transform.ts";

/**
 * The pure step kinds, each at version 1. `map` and `validate` keep what they compiled (bounded), which
 * never shows in a result; call this once per process.
 */
export const createTransforms = (): readonly Transform[] => [
  xmlParse,
  jsonParse,
  csvParse,
  createMap(),
  createValidate(),
  score,
];

export const transforms: readonly Transform[] = createTransforms();
