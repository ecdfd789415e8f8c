import { limits } from "./transform.ts";

export interface JsonFault {
  readonly message: string;
  readonly offset: number;
}

const token = {
  space: /[ \t\r\n]*/y,
  number: /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y,
  word: /true|false|null/y,
  escape: /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y,
} as const;

/**
 * Where and why `text` is not JSON (RFC 8259), or undefined when it is. Walks the text once without
 * recursion, so depth costs no stack; stops with a fault at `limits.depth` levels.
 */
export function findJsonFault(text: string): (JsonFault & { readonly deep?: true }) | undefined {
  const closers: ("]" | "}")[] = [];
  let at = skip(token.space, text, 0);
  let expect: "value" | "key" | "first-key" | "first-item" | "after" = "value";
  for (;;) {
    at = skip(token.space, text, at);
    if (expect === "after" && closers.length === 0) {
      return at === text.length
        ? undefined
        : { offset: at, message: "There is more text after the end of the value" };
    }
    const c = text[at];
    if (c === undefined)
      return { offset: at, message: `The text ends too early: expected ${wanted(expect, closers)}` };
    const closer = closers.at(-1);
    if (c === closer && expect !== "value" && expect !== "key") {
      closers.pop();
      at++;
      expect = "after";
    } else if (expect === "after") {
      if (c !== ",")
        return { offset: at, message: `Expected ${wanted(expect, closers)}, found ${shown(text, at)}` };
      at++;
      expect = closer === "}" ? "key" : "value";
    } else if (expect === "key" || expect === "first-key") {
      const end = c === '"' ? stringEnd(text, at) : at;
      if (end === at)
        return { offset: at, message: `Expected ${wanted(expect, closers)}, found ${shown(text, at)}` };
      const colon = skip(token.space, text, end);
      if (text[colon] !== ":") return { offset: colon, message: "Expected `:` after the key" };
      at = colon + 1;
      expect = "value";
    } else if (c === "{" || c === "[") {
      if (closers.length >= limits.depth)
        return { offset: at, message: `Nested deeper than ${limits.depth} levels`, deep: true };
      closers.push(c === "{" ? "}" : "]");
      at++;
      expect = c === "{" ? "first-key" : "first-item";
    } else {
      const end = scalarEnd(text, at, c);
      if (end === at) return { offset: at, message: complaint(text, at, c, wanted(expect, closers)) };
      at = end;
      expect = "after";
    }
  }
}

const scalarEnd = (text: string, at: number, first: string): number =>
  first === '"' ? stringEnd(text, at) : Math.max(skip(token.number, text, at), skip(token.word, text, at));

function complaint(text: string, at: number, first: string, expected: string): string {
  if (first === '"')
    return "The text starting here is never closed, or holds a raw control character or a wrong escape";
  if (first === "]" || first === "}") return `A value is missing before ${first} (a comma too many?)`;
  return `Expected ${expected}, found ${shown(text, at)}`;
}

const shown = (text: string, at: number): string =>
  JSON.stringify(text.slice(at, at + 12).split(/[\s,]/)[0] || text[at]);

function wanted(expect: string, closers: readonly string[]): string {
  if (expect === "first-key") return "a key in double quotes or `}`";
  if (expect === "key") return "a key in double quotes";
  return expect === "after" ? `\`,\` or \`${closers.at(-1)}\`` : "a value";
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** The offset after the string that starts at `at`, or `at` when it is not a JSON string. */
function stringEnd(text: string, at: number): number {
  for (let i = at + 1; i < text.length; ) {
    const c = text.charCodeAt(i);
    if (c === 0x22) return i + 1;
    if (c < 0x20) return at;
    const next = c === 0x5c ? skip(token.escape, text, i) : i + 1;
    if (next === i) return at;
    i = next;
  }
  return at;
}
