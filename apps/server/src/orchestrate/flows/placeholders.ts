/** Finding `{{ … }}` in text. The end is found by reading JSONata: braces nest, quotes and comments hide. */

export type TextPart =
  | { readonly kind: "text"; readonly text: string }
  /** `start` is the offset of the expression's first character in the whole text. */
  | { readonly kind: "expression"; readonly source: string; readonly start: number };

export type Placeholders =
  | { readonly ok: true; readonly parts: readonly TextPart[] }
  /** A `{{` whose `}}` is missing, and its offset. */
  | { readonly ok: false; readonly offset: number };

export const hasPlaceholder = (text: string): boolean => text.includes("{{");

/** Splits text at its placeholders. Linear in the length of the text. */
export function splitPlaceholders(text: string): Placeholders {
  const parts: TextPart[] = [];
  let from = 0;
  for (;;) {
    const open = text.indexOf("{{", from);
    if (open < 0) break;
    const close = findClose(text, open + 2);
    if (close < 0) return { ok: false, offset: open };
    if (open > from) parts.push({ kind: "text", text: text.slice(from, open) });
    parts.push({ kind: "expression", source: text.slice(open + 2, close), start: open + 2 });
    from = close + 2;
  }
  if (from < text.length || parts.length === 0) parts.push({ kind: "text", text: text.slice(from) });
  return { ok: true, parts };
}

/** A `/` begins a regular expression where a value may stand: behind an operator or an opening bracket. */
const beforeRegex = new Set("([{,;:=<>!&|?+-*%~".split(""));

function findClose(text: string, start: number): number {
  let depth = 0;
  let previous = "(";
  for (let at = start; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === "}" && depth === 0) return text[at + 1] === "}" ? at : -1;
    const end = endOfHidden(text, at, previous);
    if (end !== at) {
      if (end < 0) return -1;
      at = end - 1;
      previous = "a";
      continue;
    }
    if (char === "{") depth += 1;
    else if (char === "}") depth -= 1;
    if (char.trim() !== "") previous = char;
  }
  return -1;
}

/** The offset behind a quoted text, comment or regular expression that starts at `at`; -1 if it never ends. */
function endOfHidden(text: string, at: number, previous: string): number {
  const char = text.charAt(at);
  if (char === '"' || char === "'") return endBehind(text, at + 1, char, true);
  if (char === "`") return endBehind(text, at + 1, char, false);
  if (char !== "/") return at;
  if (text[at + 1] === "*") return endBehind(text, at + 2, "*/", false);
  return beforeRegex.has(previous) ? endBehind(text, at + 1, "/", true) : at;
}

function endBehind(text: string, from: number, end: string, escapes: boolean): number {
  for (let at = from; at < text.length; at++) {
    if (escapes && text[at] === "\\") at += 1;
    else if (text.startsWith(end, at)) return at + end.length;
  }
  return -1;
}
