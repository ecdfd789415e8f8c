/**
 * SQL text into tokens, as far as it takes to tell statements and their kind apart. Hostile input enters here:
 * whatever this reader and a database could read differently is refused.
 */

export type Dialect = "postgresql" | "mysql";

export interface Token {
  /** `word`: a bare keyword or name, lower case. `name`: a quoted name. `sign`: one other character. */
  readonly kind: "word" | "name" | "text" | "number" | "parameter" | "sign";
  readonly text: string;
}

/** The tokens without comments, or what is wrong with the text. */
export function tokensOf(statement: string, dialect: Dialect): Token[] | string {
  if (statement.includes("\0")) return "must not hold NUL";
  const tokens: Token[] = [];
  for (let at = 0; at < statement.length; ) {
    const found = next(statement, at, dialect);
    if (typeof found === "string") return found;
    if (found.token !== undefined) tokens.push(found.token);
    at = found.end;
  }
  return tokens;
}

interface Found {
  readonly token?: Token;
  readonly end: number;
}

function next(text: string, at: number, dialect: Dialect): Found | string {
  const rest = text.slice(at, at + 2_000);
  const space = /^\s+/.exec(rest);
  if (space !== null) return { end: at + space[0].length };
  const comment = commentEnd(text, at, dialect);
  if (typeof comment === "string") return comment;
  if (comment !== undefined) return { end: comment };
  const c = text.charAt(at);
  if (c === "'" || (c === '"' && dialect === "mysql")) return quoted(text, at, at, dialect === "mysql");
  if (c === '"' || c === "`") return c === "`" && dialect === "postgresql" ? "holds a `" : named(text, at, c);
  const dollar = dialect === "postgresql" ? /^\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$/.exec(rest)?.[0] : undefined;
  if (dollar !== undefined) {
    const end = text.indexOf(dollar, at + dollar.length);
    return end < 0 ? unterminated : { token: { kind: "text", text: "" }, end: end + dollar.length };
  }
  const parameter = dialect === "postgresql" ? /^\$\d+/.exec(rest)?.[0] : c === "?" ? c : undefined;
  if (parameter !== undefined)
    return { token: { kind: "parameter", text: parameter }, end: at + parameter.length };
  return plain(text, at, rest, c);
}

function plain(text: string, at: number, rest: string, c: string): Found | string {
  const number = /^(?:\d[\w.]*|\.\d[\w.]*)/.exec(rest)?.[0];
  if (number !== undefined) return { token: { kind: "number", text: number }, end: at + number.length };
  const word = /^[\p{L}_][\p{L}\p{N}_$]*/u.exec(rest)?.[0];
  if (word === undefined) return { token: { kind: "sign", text: c }, end: at + 1 };
  const after = text.charAt(at + word.length);
  const lower = word.toLowerCase();
  // A prefix of a literal: E'…' takes escapes, U&'…' and U&"…" rewrite their content.
  if (after === "'" && /^[enbx]$/.test(lower)) return quoted(text, at, at + word.length, lower === "e");
  if (lower === "u" && /^&['"]/.test(text.slice(at + 1, at + 3))) return "holds U&, which is not taken";
  return { token: { kind: "word", text: lower }, end: at + word.length };
}

const unterminated = "holds a literal, a name or a comment that does not end";

function quoted(text: string, from: number, open: number, escapes: boolean): Found | string {
  const quote = text.charAt(open);
  for (let i = open + 1; i < text.length; i++) {
    if (text[i] === "\\" && escapes) return "holds a backslash in a literal; pass the value as a parameter";
    if (text[i] !== quote) continue;
    if (text[i + 1] === quote) i += 1;
    else return { token: { kind: "text", text: text.slice(from, i + 1) }, end: i + 1 };
  }
  return unterminated;
}

function named(text: string, at: number, quote: string): Found | string {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] !== quote) continue;
    if (text[i + 1] === quote) i += 1;
    else return { token: { kind: "name", text: text.slice(at + 1, i) }, end: i + 1 };
  }
  return unterminated;
}

/** Where the comment that begins at `at` ends; undefined when none does. */
function commentEnd(text: string, at: number, dialect: Dialect): number | string | undefined {
  const two = text.slice(at, at + 2);
  const dashes = two === "--" && (dialect === "postgresql" || /\s|^$/.test(text.charAt(at + 2)));
  if (dashes || (dialect === "mysql" && two[0] === "#")) {
    const end = text.indexOf("\n", at);
    return end < 0 ? text.length : end + 1;
  }
  if (two !== "/*") return undefined;
  if (dialect === "mysql" && /^\/\*(?:!|M!|\+)/i.test(text.slice(at, at + 4)))
    return "holds a comment that the database would run";
  let depth = 1;
  for (let i = at + 2; i < text.length; i++) {
    const pair = text.slice(i, i + 2);
    if (pair === "*/") {
      depth -= 1;
      if (depth === 0) return i + 2;
      i += 1;
    } else if (pair === "/*") {
      if (dialect === "mysql") return "holds a comment in a comment";
      depth += 1;
      i += 1;
    }
  }
  return unterminated;
}
