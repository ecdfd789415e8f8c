/**
 * What a statement is. The class decides what a connection may run; a read also runs in a read-only
 * transaction, so that a function with an effect inside a `select` is refused by the database itself.
 * Q1 One statement; anything after a semicolon is refused.
 * Q2 Only known kinds: what is not listed (copy, call, do, set, load, begin …) is refused.
 * Q3 In doubt a statement is of the stronger class.
 */
import { type Dialect, type Token, tokensOf } from "./sql-tokens.ts";

export type StatementClass = "read" | "write" | "ddl";

export interface Statement {
  readonly class: StatementClass;
  /** `select`, `insert`, `create`. */
  readonly kind: string;
  /** What a write or a definition changes, as far as the text names it: `public.orders`. */
  readonly object: string;
}

const kinds: Readonly<Record<string, StatementClass>> = {
  select: "read",
  values: "read",
  table: "read",
  with: "read",
  show: "read",
  describe: "read",
  explain: "read",
  insert: "write",
  update: "write",
  delete: "write",
  merge: "write",
  replace: "write",
  create: "ddl",
  alter: "ddl",
  drop: "ddl",
  truncate: "ddl",
  comment: "ddl",
  rename: "ddl",
};

/** The statement, or why it is refused. `literals`: texts may stand in the statement itself. */
export function statementOf(text: string, dialect: Dialect, literals: boolean): Statement | string {
  const read = tokensOf(text, dialect);
  if (typeof read === "string") return read;
  const tokens = [...read];
  while (tokens.at(-1)?.text === ";" && tokens.at(-1)?.kind === "sign") tokens.pop();
  if (tokens.some((token) => token.kind === "sign" && token.text === ";")) return "must be one statement";
  const start = tokens.find((token) => !(token.kind === "sign" && token.text === "("));
  const kind = start?.kind === "word" ? start.text : "";
  const base = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (base === undefined || (tokens[0]?.text === "(" && base !== "read"))
    return `is of a kind that is not run here; use one of ${Object.keys(kinds).join(", ")}`;
  const refused = refusedIn(tokens, dialect, literals);
  if (refused !== undefined) return refused;
  const strongest = strengthOf(tokens, base);
  return { class: strongest, kind, object: objectOf(tokens, strongest) };
}

function refusedIn(tokens: readonly Token[], dialect: Dialect, literals: boolean): string | undefined {
  if (!literals && tokens.some((token) => token.kind === "text")) {
    const mark = dialect === "postgresql" ? "$1" : "?";
    return `holds a text literal; write ${mark} and pass the value in \`parameters\``;
  }
  const bare = (index: number, ...words: string[]): boolean =>
    words.every((word, i) => isWord(tokens, index + i, word));
  for (let i = 0; i < tokens.length; i++) {
    if (bare(i, "into", "outfile") || bare(i, "into", "dumpfile")) return "must not write files";
    if (bare(i, "load_file")) return "must not read files";
  }
  return undefined;
}

const isWord = (tokens: readonly Token[], index: number, word: string): boolean => {
  const token = tokens[index];
  return token?.kind === "word" && token.text === word && tokens[index - 1]?.text !== ".";
};

/** A keyword that changes rows wherever it stands: a data-modifying CTE, `for update`, `explain analyze delete`. */
function strengthOf(tokens: readonly Token[], base: StatementClass): StatementClass {
  if (base !== "read") return base;
  const changes = tokens.some((_token, i) => {
    if (tokens[i + 1]?.text === "(" && !isWord(tokens, i, "delete")) return false; // replace(…), insert(…) are functions
    return ["insert", "update", "delete", "merge", "replace", "share"].some((word) =>
      isWord(tokens, i, word),
    );
  });
  const makes = tokens.some((_token, i) => isWord(tokens, i, "into") && !changes);
  return makes ? "ddl" : changes ? "write" : "read";
}

const leading = new Set(["insert", "update", "delete", "merge", "replace"]);
const passing = new Set([
  "into",
  "from",
  "only",
  "ignore",
  "low_priority",
  "if",
  "not",
  "exists",
  "concurrently",
]);
const objectKinds = new Set([
  "table",
  "view",
  "index",
  "materialized",
  "unique",
  "schema",
  "sequence",
  "temporary",
  "temp",
  "or",
  "replace",
  "column",
  "on",
  "type",
  "function",
  "database",
  "user",
  "role",
]);

/** The first name after the verb; for a CTE, after the verb inside it. */
function objectOf(tokens: readonly Token[], strongest: StatementClass): string {
  if (strongest === "read") return "";
  let at =
    strongest === "ddl"
      ? 1
      : tokens.findIndex((t, i) => t.kind === "word" && leading.has(t.text) && tokens[i - 1]?.text !== ".") +
        1;
  const skips = (token: Token | undefined): boolean =>
    token?.kind === "word" &&
    (passing.has(token.text) || (strongest === "ddl" && objectKinds.has(token.text)));
  while (skips(tokens[at])) at += 1;
  const parts: string[] = [];
  for (let token = tokens[at]; token?.kind === "word" || token?.kind === "name"; token = tokens[at]) {
    parts.push(token.text);
    if (tokens[at + 1]?.text !== ".") break;
    at += 2;
  }
  return parts.join(".");
}
