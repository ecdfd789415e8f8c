import { kindOf } from "./transform.ts";

export const valueTypes = ["string", "number", "integer", "boolean", "object", "array"] as const;
export type ValueType = (typeof valueTypes)[number];

/** `missing` is for null, undefined and, where a number or boolean is wanted, blank text. */
export type Conversion =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly missing: true }
  | { readonly ok: false; readonly missing: false; readonly message: string };

const decimal = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?$/;
const missing: Conversion = { ok: false, missing: true };
const refuse = (message: string): Conversion => ({ ok: false, missing: false, message });
const accept = (value: unknown): Conversion => ({ ok: true, value });
const shown = (value: unknown): string =>
  typeof value === "string"
    ? JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
    : kindOf(value);

/**
 * `value` as `type`, without loss or guess: "12abc", "", "0x1F" and digits that a double cannot hold are
 * no numbers; "1.5" is no integer; only true, false, 1 and 0 are booleans; objects never become text.
 * `array` always gives an array: a lone value becomes its only item, nothing becomes [].
 */
export function convert(value: unknown, type: ValueType | undefined): Conversion {
  if (type === undefined) return value === undefined ? missing : accept(value);
  if (type === "array") {
    if (value === undefined || value === null) return accept([]);
    return accept(Array.isArray(value) ? value : [value]);
  }
  if (value === undefined || value === null) return missing;
  switch (type) {
    case "string":
      if (typeof value === "object") return refuse(`${kindOf(value)} is not text`);
      return accept(String(value));
    case "object":
      return typeof value === "object" && !Array.isArray(value)
        ? accept(value)
        : refuse(`${shown(value)} is not an object`);
    case "boolean":
      return toBoolean(value);
    case "integer":
    case "number":
      return toNumber(value, type);
  }
}

function toBoolean(value: unknown): Conversion {
  if (typeof value === "boolean") return accept(value);
  const text = String(typeof value === "object" ? "" : value)
    .trim()
    .toLowerCase();
  if (text === "" && typeof value === "string") return missing;
  if (text === "true" || text === "1") return accept(true);
  if (text === "false" || text === "0") return accept(false);
  return refuse(`${shown(value)} is not true or false`);
}

function toNumber(value: unknown, type: "number" | "integer"): Conversion {
  let number = value;
  if (typeof value === "string") {
    const text = value.trim();
    if (text === "") return missing;
    if (!decimal.test(text))
      return refuse(`${shown(value)} is not ${type === "integer" ? "an integer" : "a number"}`);
    number = Number(text);
    if (!isExact(text, Number(text)))
      return refuse(`${shown(value)} has more digits than a number holds exactly`);
  }
  if (typeof number !== "number" || !Number.isFinite(number))
    return refuse(`${shown(value)} is not a number`);
  if (type === "integer" && !Number.isSafeInteger(number)) {
    return refuse(`${typeof value === "number" ? value : shown(value)} is not an integer below 2^53`);
  }
  return accept(Object.is(number, -0) ? 0 : number);
}

const digitsOf = (text: string): string =>
  (text.split(/[eE]/)[0] ?? "")
    .replace(/[^0-9]/g, "")
    .replace(/^0+/, "")
    .replace(/0+$/, "");

/** Whether the double prints back the digits that were written. 15 digits always do. */
function isExact(text: string, number: number): boolean {
  const digits = digitsOf(text);
  if (!Number.isFinite(number) || (number === 0 && digits !== "")) return false;
  if (digits.length <= 15) return true;
  return digits.length <= 100 && digitsOf(number.toPrecision(digits.length)) === digits;
}
