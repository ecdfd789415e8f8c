/**
 * RFC 8785 (JCS). Numbers print as ECMAScript prints them, which is what the RFC prescribes; names sort
 * by UTF-16 code units, which is JavaScript's own string order.
 */
import { FormatError } from "./format-error.ts";

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Deeper values are refused, so that hostile JSON cannot exhaust the stack. */
const deepest = 128;

/**
 * RFC 8785 text of a JSON value; members that are `undefined` are left out. Throws FormatError for what
 * I-JSON cannot hold: NaN, infinities, lone surrogates, functions, symbols, bigints, undefined elsewhere;
 * and for more than 128 levels of nesting.
 */
export const canonicalJson = (value: unknown): string => write(value, 0);

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "number":
      if (!Number.isFinite(value)) throw new FormatError(`${value} is not a JSON number`);
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth >= deepest) throw new FormatError(`nested deeper than ${deepest} levels`);
      return Array.isArray(value) ? list(value, depth + 1) : record(value, depth + 1);
    default:
      throw new FormatError(`${typeof value} is not a JSON value`);
  }
}

/** Texts that JSON writes as they are; measured: halves the time of a receipt against JSON.stringify for each. */
const plain = /^[ !#-[\]-~]*$/;

function quote(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new FormatError("text has a lone surrogate");
  return JSON.stringify(text);
}

function list(items: readonly unknown[], depth: number): string {
  let text = "[";
  for (let i = 0; i < items.length; i++) text += (i === 0 ? "" : ",") + write(items[i], depth);
  return `${text}]`;
}

function record(value: object, depth: number): string {
  const entries = value as Record<string, unknown>; // own enumerable names only are read
  let text = "{";
  for (const name of Object.keys(entries).sort()) {
    const member = entries[name];
    if (member === undefined) continue;
    text += `${text === "{" ? "" : ","}${quote(name)}:${write(member, depth)}`;
  }
  return `${text}}`;
}
