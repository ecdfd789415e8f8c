/** Values as JSONata's interpreter sees them, where they are plain JSON; `Bail` is thrown for all others. */

/** The interpreter must evaluate the expression. */
export class Bail extends Error {
  constructor() {
    super("for the interpreter");
  }
}

/** One evaluation. */
export interface Run {
  /** What `$$` names. */
  readonly root: unknown;
  readonly variables: Readonly<Record<string, unknown>>;
  /** What may still be spent. */
  left: number;
}

/** Called for every node, with 1, and for lists, with their length. */
export function spend(run: Run, units: number): void {
  run.left -= units;
  if (run.left < 0) throw new Bail();
}

/** Several values that are no array of the data: of none it is nothing, of one it is that one. */
export type Sequence = unknown[] & { sequence?: true };

export function sequenceOf(...items: unknown[]): Sequence {
  const sequence: Sequence = items;
  sequence.sequence = true;
  return sequence;
}

export const isSequence = (value: unknown): value is Sequence =>
  Array.isArray(value) && (value as Sequence).sequence === true;

export function single(value: unknown): unknown {
  if (typeof value === "string") {
    if (value.length > longestText) throw new Bail();
    return value;
  }
  if (!isSequence(value) || value.length > 1) return value;
  return value[0];
}

/** The interpreter has a limit of its own. */
const longestText = 100_000;

/** Own properties that would make the interpreter take an object for a function. */
export function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { _jsonata_function: native, _jsonata_lambda: lambda } = value as Record<string, unknown>; // read with care
  if (native === true || lambda === true) throw new Bail();
  return true;
}

/** Undefined for nothing, as the interpreter has it. */
export function toBoolean(value: unknown): boolean | undefined {
  switch (typeof value) {
    case "undefined":
      return undefined;
    case "boolean":
      return value;
    case "string":
      return value !== "";
    case "number":
      return toNumber(value) !== 0;
  }
  if (Array.isArray(value))
    return value.length === 1 ? (toBoolean(value[0]) ?? false) : value.some(toBoolean);
  return isObject(value) && Object.keys(value).length > 0;
}

/** A finite number. */
export function toNumber(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Bail();
  return value;
}

/** What `&` joins: nothing is "". */
export function toText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined) return "";
  if (typeof value === "number") return String(rounded(toNumber(value)));
  if (typeof value === "boolean" || value === null) return String(value);
  const text = JSON.stringify(value, (_key, held: unknown) => {
    if (typeof held === "number") return rounded(toNumber(held));
    isObject(held);
    return held;
  });
  return text;
}

/** Numbers are written with 15 digits. */
const rounded = (value: number): number => (Number.isInteger(value) ? value : Number(value.toPrecision(15)));

export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) throw new Bail();
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]; // no arrays, by the lines above
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && equal(left[name], right[name]))
  );
}
