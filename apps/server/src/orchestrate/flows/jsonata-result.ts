import type { Json } from "#platform/kernel";

/** Thrown when a result holds more values or characters than allowed. */
export class ResultTooLarge extends Error {}

/**
 * Plain JSON of a JSONata result: no sequence marks, no functions, own properties alone, `undefined`
 * left out of objects and null in arrays. Copies, so the result shares nothing with the input.
 */
export function toJson(
  value: unknown,
  limits: { readonly items: number; readonly chars: number },
): Json | undefined {
  const left = { items: limits.items * 4, chars: limits.chars * 2 };
  const spend = (chars: number): void => {
    left.items -= 1;
    left.chars -= chars;
    if (left.items < 0 || left.chars < 0) throw new ResultTooLarge();
  };
  const copy = (part: unknown): Json | undefined => {
    spend(typeof part === "string" ? part.length : 0);
    if (part === null || typeof part === "string" || typeof part === "boolean") return part;
    if (typeof part === "number") return Number.isFinite(part) ? part : undefined;
    if (Array.isArray(part)) return part.map((item) => copy(item) ?? null);
    if (typeof part !== "object" || isFunction(part)) return undefined;
    const object: { [key: string]: Json } = {};
    for (const [key, held] of Object.entries(part)) {
      const json = copy(held);
      if (json !== undefined) setOwn(object, key, json);
    }
    return object;
  };
  return copy(value);
}

/** An own property whatever its name: plain assignment would run the setter of `__proto__`. */
export function setOwn<T>(object: Record<string, T>, key: string, value: T): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else object[key] = value;
}

const isFunction = (value: object): boolean =>
  ("_jsonata_function" in value && value._jsonata_function === true) ||
  ("_jsonata_lambda" in value && value._jsonata_lambda === true);
