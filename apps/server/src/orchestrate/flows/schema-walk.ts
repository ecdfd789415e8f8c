/** Reading zod schemas: which fields a place allows, and which fields are marked as secret. */
import { z } from "zod";
import type { Path } from "./problems.ts";

interface Def {
  readonly type: string;
  readonly shape?: Record<string, z.ZodType>;
  readonly [field: string]: unknown;
}

const defOf = (schema: z.ZodType): Def => schema._zod.def as unknown as Def; // each type has more fields than the base

/** The schema behind optional, default, nullable, pipe and lazy wrappers; the branches of a union. */
function unwrap(schema: z.ZodType): z.ZodType[] {
  const def = defOf(schema);
  if (def.type === "union") return (def.options as z.ZodType[]).flatMap(unwrap);
  if (def.type === "intersection") return [def.left as z.ZodType, def.right as z.ZodType].flatMap(unwrap);
  if (def.type === "pipe") return unwrap(def.in as z.ZodType);
  if (def.type === "lazy") return unwrap((def.getter as () => z.ZodType)());
  return def.innerType === undefined ? [schema] : unwrap(def.innerType as z.ZodType);
}

/** Every schema that a value at `path` may have to fit. */
export function schemasAt(schema: z.ZodType, path: Path): z.ZodType[] {
  let found = unwrap(schema);
  for (const part of path) {
    found = found.flatMap((one) => {
      const inner = partOf(defOf(one), part);
      return inner === undefined ? [] : unwrap(inner);
    });
  }
  return found;
}

function partOf(def: Def, part: string | number): z.ZodType | undefined {
  if (def.type === "object")
    return def.shape !== undefined && Object.hasOwn(def.shape, part) ? def.shape[part] : undefined;
  if (def.type === "record") return def.valueType as z.ZodType;
  if (def.type === "array") return def.element as z.ZodType;
  if (def.type === "tuple") return (def.items as z.ZodType[])[Number(part)];
  return undefined;
}

/** Names of the fields that an object at `path` may have. */
export const fieldsAt = (schema: z.ZodType, path: Path): string[] => [
  ...new Set(schemasAt(schema, path).flatMap((one) => Object.keys(defOf(one).shape ?? {}))),
];

/**
 * JSON types that the schemas take between them; null when that cannot be told. A schema that changes its
 * input may take anything.
 */
export function typesOf(schemas: readonly z.ZodType[]): readonly string[] | null {
  const types = new Set<string>();
  for (const schema of schemas) {
    const found = typesOfOne(defOf(schema));
    if (found === null) return null;
    for (const type of found) types.add(type);
  }
  return [...types];
}

const jsonTypes: Readonly<Record<string, readonly string[]>> = {
  string: ["string"],
  template_literal: ["string"],
  number: ["number"],
  int: ["integer"],
  boolean: ["boolean"],
  object: ["object"],
  record: ["object"],
  array: ["array"],
  tuple: ["array"],
  null: ["null"],
};

function typesOfOne(def: Def): readonly string[] | null {
  if (def.coerce === true) return null;
  const values = def.type === "enum" ? Object.values(def.entries as object) : (def.values as unknown[]);
  if (def.type === "enum" || def.type === "literal") return [...new Set(values.map(typeOfValue))];
  return jsonTypes[def.type] ?? null;
}

const typeOfValue = (value: unknown): string => (value === null ? "null" : typeof value);

/** True when the schema at `path`, or a wrapper around it, is marked with `.meta({ secret: true })`. */
export function isSecretField(schema: z.ZodType, path: Path): boolean {
  const parent = schemasAt(schema, path.slice(0, -1));
  const last = path.at(-1);
  if (last === undefined) return false;
  return parent.some((one) => {
    const field = partOf(defOf(one), last);
    return (
      field !== undefined && wrappersOf(field).some((part) => z.globalRegistry.get(part)?.secret === true)
    );
  });
}

function wrappersOf(schema: z.ZodType): z.ZodType[] {
  const inner = defOf(schema).innerType as z.ZodType | undefined; // only wrappers have one
  return inner === undefined ? [schema] : [schema, ...wrappersOf(inner)];
}
