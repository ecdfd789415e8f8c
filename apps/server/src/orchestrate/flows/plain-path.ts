/** Plain paths (`params.x`, `steps.a.output.rows[0].id`): looked up directly, without an evaluator. */

export type PlainPath = readonly (string | number)[];

/** Says that only the evaluator knows the answer: JSONata maps over lists and wraps single values. */
export const unsure: unique symbol = Symbol("unsure");

const segment = /(?:\.\s*)?(?:([A-Za-z_]\w*)|`([^`]+)`)|\[\s*(\d{1,9})\s*\]/y;
const keywords = new Set(["and", "or", "in", "true", "false", "null", "function"]);

/** The path that an expression consists of, or null when it is more than a path. */
export function parsePlainPath(source: string): PlainPath | null {
  const text = source.trim();
  const path: (string | number)[] = [];
  segment.lastIndex = 0;
  while (segment.lastIndex < text.length) {
    const at = segment.lastIndex;
    const match = segment.exec(text);
    if (match === null) return null;
    const [whole, name, quoted, index] = match;
    if (index !== undefined) {
      // an index on an index filters the selection, not the item
      if (path.length === 0 || typeof path.at(-1) === "number") return null;
      path.push(Number(index));
    } else {
      if (whole.startsWith(".") === (at === 0) || (name !== undefined && keywords.has(name))) return null;
      path.push(name ?? quoted ?? "");
    }
  }
  return path.length === 0 ? null : path;
}

/** Own properties only, so no prototype is ever reached. Undefined when the path selects nothing. */
export function lookUp(scope: unknown, path: PlainPath): unknown {
  let value = scope;
  for (const part of path) {
    if (value === undefined) return undefined;
    if (typeof part === "number") {
      // the first item of a single value is that value
      if (!Array.isArray(value)) return unsure;
      value = value[part];
    } else {
      if (Array.isArray(value)) return unsure;
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
      value = (value as Record<string, unknown>)[part]; // an object that has `part`, by the line above
    }
  }
  return value;
}
