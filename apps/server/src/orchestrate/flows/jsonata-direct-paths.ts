/** Going through data: names, steps of a path, filters, and objects made for the items of a sequence. */
import {
  Bail,
  isObject,
  isSequence,
  type Run,
  sequenceOf,
  spend,
  toBoolean,
} from "./jsonata-direct-values.ts";

export type Eval = (input: unknown, run: Run) => unknown;
export type Filter = (input: unknown, run: Run) => unknown;

/** `lookup` of the interpreter: over a list, that of each item, flattened once. */
export function lookUp(input: unknown, name: string, run: Run): unknown {
  if (!Array.isArray(input)) return isObject(input) && Object.hasOwn(input, name) ? input[name] : undefined;
  const result = sequenceOf();
  spend(run, input.length);
  for (const item of input) {
    const found = lookUp(item, name, run);
    if (Array.isArray(found)) addAll(result, found, run);
    else if (found !== undefined) result.push(found);
  }
  return result;
}

function addAll(to: unknown[], items: readonly unknown[], run: Run): void {
  spend(run, items.length);
  for (const item of items) to.push(item);
}

/** `evaluateStep` of the interpreter. */
export function stepOver(
  step: Eval,
  filters: readonly Filter[],
  input: readonly unknown[],
  isLast: boolean,
  run: Run,
): readonly unknown[] {
  const found: unknown[] = [];
  for (const item of input) {
    let result = step(item, run);
    for (const one of filters) result = one(result, run);
    if (result !== undefined) found.push(result);
  }
  const [only] = found;
  if (isLast && found.length === 1 && Array.isArray(only) && !isSequence(only)) return only;
  const flat = sequenceOf();
  for (const result of found) {
    if (Array.isArray(result)) addAll(flat, result, run);
    else flat.push(result);
  }
  return flat;
}

/** `evaluateFilter` of the interpreter: the item at an index, or those for which the predicate holds. */
export function filter(by: number | Eval, input: unknown, run: Run): unknown {
  const items: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (typeof by === "number") {
    const item = items[by < 0 ? items.length + by : by];
    if (Array.isArray(item)) return item;
    return item === undefined ? sequenceOf() : sequenceOf(item);
  }
  const kept = sequenceOf();
  for (const [index, item] of items.entries()) {
    const result = by(item, run);
    const indexes = typeof result === "number" ? [result] : result;
    if (Array.isArray(indexes) && indexes.every((n) => typeof n === "number")) {
      for (const n of indexes) if (atIndex(n, items.length) === index) kept.push(item);
    } else if (toBoolean(result)) kept.push(item);
  }
  return kept;
}

function atIndex(value: number, length: number): number {
  if (!Number.isFinite(value)) throw new Bail();
  const index = Math.floor(value);
  return index < 0 ? length + index : index;
}

interface Grouped {
  data: unknown;
  readonly pair: number;
}

/** `evaluateGroupExpression` of the interpreter: items whose key is the same give one value together. */
export function group(keys: readonly Eval[], values: readonly Eval[], input: unknown, run: Run): unknown {
  const given: readonly unknown[] = Array.isArray(input) ? input : [input];
  const items = given.length === 0 ? [undefined] : given;
  const groups: Record<string, Grouped> = Object.create(null);
  for (const item of items) {
    for (const [pair, keyOf] of keys.entries()) {
      const key = keyOf(item, run);
      if (key === undefined) continue;
      if (typeof key !== "string" || key === "_jsonata_lambda" || key === "_jsonata_function")
        throw new Bail();
      const known = groups[key];
      if (known === undefined) groups[key] = { data: item, pair };
      else if (known.pair !== pair) throw new Bail();
      else known.data = append(known.data, item, run);
    }
  }
  const result: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(groups)) {
    const { data, pair } = groups[key] as Grouped; // its own keys
    const value = (values[pair] as Eval)(data, run); // one for each key
    if (value !== undefined) result[key] = value;
  }
  return result;
}

/** `$append`: nothing adds nothing, and what comes of two is an array of the data. */
export function append(first: unknown, second: unknown, run: Run): unknown {
  if (first === undefined) return second;
  if (second === undefined) return first;
  const result: unknown[] = [];
  for (const part of [first, second] as const) {
    if (Array.isArray(part)) addAll(result, part, run);
    else result.push(part);
  }
  return result;
}
