/**
 * The JSON Schema (2020-12) of definitions for editors: fields of the flow, and of `with` by the step kind
 * that `use` names. It accepts all that publishing accepts on this server. It cannot know what expressions
 * give, what other flows take, or the order of steps: publishing checks those.
 */
import { flowDefinition } from "@oars/contract";
import { z } from "zod";
import type { StepKindCatalogue, StepKindInfo } from "./step-kinds.ts";

type Schema = Readonly<Record<string, unknown>>;

export function editorSchema(kinds: StepKindCatalogue): Schema {
  const { $defs, ...flow } = schemaOf(flowDefinition);
  const defs: Record<string, Schema> = { ...($defs as Record<string, Schema>) };
  const known = kinds.names().flatMap((name) => kinds.find(name) ?? []);
  const step = defs.FlowStep;
  if (step === undefined) throw new Error("the schema of definitions has no FlowStep");
  const uses = known.flatMap(namesOf);
  defs.FlowStep = {
    ...step,
    properties: {
      ...(step.properties as Schema),
      use: { ...(step.properties as Record<string, Schema>).use, enum: uses },
    },
    allOf: known.map((kind) => {
      const name = `with ${kind.name}`;
      Object.assign(defs, withSchemas(name, kind));
      return {
        if: { properties: { use: { enum: namesOf(kind) } }, required: ["use"] },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, never awaited
        then: { properties: { with: { $ref: refTo(name) } } },
      };
    }),
  };
  return { ...flow, title: "OARS flow", $defs: defs };
}

const namesOf = ({ name, version }: StepKindInfo): string[] => [name, `${name}@${version}`];

const schemaOf = (type: z.ZodType): Schema =>
  z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as unknown as Schema; // plain JSON

/** The schema of a kind's input and of the named parts in it, under names that are its own. */
function withSchemas(name: string, kind: StepKindInfo): Record<string, Schema> {
  const { $schema: _, $defs = {}, ...config } = schemaOf(kind.config);
  const partName = (part: string): string => (part === "" ? name : `${name} ${part}`);
  const rename = (ref: string): string =>
    refTo(partName(decodeURIComponent(ref.replace(/^#(\/\$defs\/)?/, ""))));
  const parts = Object.entries($defs as Record<string, Schema>);
  return Object.fromEntries(
    [["", config] as const, ...parts].map(([part, schema]) => [partName(part), loosen(schema, rename)]),
  );
}

const refTo = (name: string): string => `#/$defs/${encodeURIComponent(name)}`;

/** Keywords that hold one schema, lists of schemas, schemas by name. */
const single = new Set(["items", "additionalProperties", "contains"]);
const lists = new Set(["prefixItems"]);
const named = new Set(["properties", "patternProperties"]);
const branches = new Set(["anyOf", "oneOf", "allOf"]);

/** The same schema, with an expression allowed in place of every part of its value, but not of the whole. */
function loosen(schema: Schema, rename: (ref: string) => string): Schema {
  const part = (inner: unknown): unknown => (isSchema(inner) ? orExpression(loosen(inner, rename)) : inner);
  const branch = (inner: unknown): unknown => (isSchema(inner) ? loosen(inner, rename) : inner);
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      if (key === "$ref" && typeof value === "string") return [key, rename(value)];
      if (single.has(key)) return [key, part(value)];
      if (lists.has(key) && Array.isArray(value)) return [key, value.map(part)];
      if (branches.has(key) && Array.isArray(value)) return [key, value.map(branch)];
      if (named.has(key) && isSchema(value))
        return [key, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, part(inner)]))];
      return [key, value];
    }),
  );
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What says nothing about the value, so that a text of any kind fits already. */
const annotations = new Set(["description", "title", "examples", "default", "secret", "id"]);

function orExpression(schema: Schema): Schema {
  const rules = Object.entries(schema).filter(([key]) => !annotations.has(key));
  const takesText = rules.every(([key, value]) => key === "type" && value === "string");
  if (takesText) return schema;
  const about = Object.entries(schema).filter(([key]) => annotations.has(key));
  return {
    ...Object.fromEntries(about),
    anyOf: [Object.fromEntries(rules), { type: "string", pattern: "\\{\\{" }],
  };
}
