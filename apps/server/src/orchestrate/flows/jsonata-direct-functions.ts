/** Functions of JSONata over plain JSON. An argument that the function's signature refuses is the interpreter's. */
import { append } from "./jsonata-direct-paths.ts";
import { Bail, isObject, type Run, toBoolean, toNumber, toText } from "./jsonata-direct-values.ts";

export interface Call {
  /** How many arguments it takes at least and at most. */
  readonly least: number;
  readonly most: number;
  /** Without any, it takes what the path has come to. */
  readonly takesContext: boolean;
  run(values: readonly unknown[], run: Run): unknown;
}

const of = (least: number, most: number, takesContext: boolean, run: Call["run"]): Call => ({
  least,
  most,
  takesContext,
  run,
});

/** One argument, and nothing of nothing. */
const each = (run: (value: unknown) => unknown): Call =>
  of(1, 1, true, ([value]) => (value === undefined ? undefined : run(value)));

function text(value: unknown): string {
  if (typeof value !== "string") throw new Bail();
  return value;
}

const ofText = (run: (value: string) => unknown): Call => each((value) => run(text(value)));
const ofNumber = (run: (value: number) => number): Call => each((value) => toNumber(run(toNumber(value))));

/** A lone value stands for a list of one; nothing stays nothing. */
function listOf<T>(value: unknown, item: (value: unknown) => T): readonly T[] | undefined {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value.map(item) : [item(value)];
}

const ofNumbers = (run: (values: readonly number[]) => number | undefined): Call =>
  of(1, 1, false, ([value]) => {
    const numbers = listOf(value, toNumber);
    const result = numbers && run(numbers);
    return result === undefined ? undefined : toNumber(result);
  });

const sum = (values: readonly number[]): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

const none = (values: readonly unknown[]): boolean => values.length === 0;

/** Half to even, shifted as text where a precision is given. */
function round(value: number, precision: number): number {
  const shifted = precision === 0 ? value : shift(value, precision);
  let result = Math.round(shifted);
  if (Math.abs(result - shifted) === 0.5 && Math.abs(result % 2) === 1) result -= 1;
  if (precision !== 0) result = shift(result, -precision);
  return Object.is(result, -0) ? 0 : result;
}

function shift(value: number, by: number): number {
  const [digits, exponent] = value.toString().split("e");
  return Number(`${digits}e${exponent === undefined ? by : Number(exponent) + by}`);
}

const decimal = /^-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?$/;

function parseNumber(value: unknown): number {
  if (typeof value === "number") return toNumber(value);
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string" && decimal.test(value)) return toNumber(Number.parseFloat(value));
  throw new Bail();
}

function trim(value: string): string {
  const spaced = value.replace(/[ \t\n\r]+/g, " ");
  const start = spaced.startsWith(" ") ? 1 : 0;
  const rest = spaced.slice(start);
  return rest.endsWith(" ") ? rest.slice(0, -1) : rest;
}

function substring(value: string, from: number, length: number | undefined): string {
  const characters = [...value];
  const start = characters.length + from < 0 ? 0 : from;
  if (length === undefined) return characters.slice(start).join("");
  if (length <= 0) return "";
  return characters.slice(start, start >= 0 ? start + length : characters.length + start + length).join("");
}

function merge(values: readonly Record<string, unknown>[]): unknown {
  const result: Record<string, unknown> = Object.create(null);
  for (const value of values) for (const key of Object.keys(value)) result[key] = value[key];
  return result;
}

function object(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw new Bail();
  return value;
}

/** Two texts, of which the first may be nothing. */
const ofTexts = (run: (value: string, other: string) => unknown): Call =>
  of(2, 2, false, ([value, other]) => {
    const second = text(other);
    return value === undefined ? undefined : run(text(value), second);
  });

export const directFunctions: ReadonlyMap<string, Call> = new Map<string, Call>([
  ["sum", ofNumbers(sum)],
  ["max", ofNumbers((values) => (none(values) ? undefined : Math.max(...values)))],
  ["min", ofNumbers((values) => (none(values) ? undefined : Math.min(...values)))],
  ["average", ofNumbers((values) => (none(values) ? undefined : sum(values) / values.length))],
  ["count", of(1, 1, false, ([value]) => listOf(value, (item) => item)?.length ?? 0)],
  ["round", of(1, 2, true, ([value, precision = 0]) => rounded(value, precision))],
  ["floor", ofNumber(Math.floor)],
  ["ceil", ofNumber(Math.ceil)],
  ["abs", ofNumber(Math.abs)],
  ["number", each(parseNumber)],
  ["string", each(toText)],
  ["length", ofText((value) => [...value].length)],
  ["uppercase", ofText((value) => value.toUpperCase())],
  ["lowercase", ofText((value) => value.toLowerCase())],
  ["trim", ofText(trim)],
  ["substring", of(2, 3, false, ([value, from, length]) => substringOf(value, from, length))],
  ["substringBefore", ofTexts((value, other) => before(value, value.indexOf(other)))],
  ["substringAfter", ofTexts((value, other) => after(value, other, value.indexOf(other)))],
  ["contains", ofTexts((value, other) => value.includes(other))],
  ["join", of(1, 2, false, ([values, separator = ""]) => joined(values, separator))],
  ["boolean", each(toBoolean)],
  ["not", each((value) => !toBoolean(value))],
  ["exists", of(1, 1, false, ([value]) => value !== undefined)],
  ["append", of(2, 2, false, ([first, second], run) => append(first, second, run))],
  ["merge", of(1, 1, false, ([values]) => merged(values))],
]);

function rounded(value: unknown, precision: unknown): unknown {
  const digits = toNumber(precision);
  return value === undefined ? undefined : toNumber(round(toNumber(value), digits));
}

function substringOf(value: unknown, from: unknown, length: unknown): unknown {
  const start = toNumber(from);
  const size = length === undefined ? undefined : toNumber(length);
  return value === undefined ? undefined : substring(text(value), start, size);
}

const before = (value: string, at: number): string => (at < 0 ? value : value.slice(0, at));
const after = (value: string, other: string, at: number): string =>
  at < 0 ? value : value.slice(at + other.length);

function joined(values: unknown, separator: unknown): unknown {
  const glue = text(separator);
  return listOf(values, text)?.join(glue);
}

function merged(values: unknown): unknown {
  const objects = listOf(values, object);
  return objects && merge(objects);
}
