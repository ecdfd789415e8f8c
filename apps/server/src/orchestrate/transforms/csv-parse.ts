import { CsvError, parse } from "csv-parse/sync";
import { array, boolean, enum as oneOf, record, strictObject, string, unknown } from "zod";
import type { Json } from "#platform/kernel";
import { convert } from "./conversion.ts";
import { positionAt } from "./source-position.ts";
import { defineTransform, failure, limits, success, type TransformResult, textInput } from "./transform.ts";

const character = string().refine((s) => s.length === 1 && !/[\r\n\0]/.test(s), "give one character");
const config = strictObject({
  text: unknown(),
  /** Whether the first record names the columns. */
  header: boolean().default(true),
  /** Names of the columns: instead of the header's, or because there is no header. */
  columns: array(string().min(1)).min(1).max(10_000).optional(),
  /** Columns that are not text; an empty field of theirs is null. */
  types: record(string(), oneOf(["string", "number", "integer", "boolean"])).default({}),
  delimiter: character.default(","),
  quote: character.default('"'),
  trim: boolean().default(true),
  skipEmptyLines: boolean().default(true),
})
  .refine((c) => c.header || c.columns !== undefined, {
    path: ["columns"],
    message: "name the columns, as there is no header",
  })
  .refine((c) => c.delimiter !== c.quote, { path: ["quote"], message: "must differ from the delimiter" });

type Options = ReturnType<typeof config.parse>;

/**
 * CSV text (RFC 4180; any line end) to an array of objects, one per record, all values text unless typed.
 * Fails with CSV_EMPTY, CSV_MALFORMED, CSV_RAGGED, CSV_TYPE (with the line on which the record starts),
 * CSV_HEADER, CSV_COLUMN_UNKNOWN, CSV_CHARACTER.
 */
export const csvParse = defineTransform({
  name: "csv.parse",
  config,
  run(options) {
    const text = textInput(options.text, "csv.parse");
    if (typeof text !== "string") return text;
    const nul = text.indexOf("\0");
    if (nul >= 0) return failure("CSV_CHARACTER", "U+0000 is not allowed in CSV.", positionAt(text, nul));
    if (!text.isWellFormed()) return failure("CSV_CHARACTER", "A surrogate without its pair is not text.");
    if (text.trim() === "")
      return failure("CSV_EMPTY", "The text is empty; expected CSV.", { line: 1, column: 1 });
    const rows = readRows(text, options);
    if ("ok" in rows) return rows;
    const columns = options.columns ?? rows[0] ?? [];
    const wrong = checkColumns(columns, options);
    return wrong ?? toRecords(rows, columns, options, text);
  },
});

function readRows(text: string, options: Options): string[][] | TransformResult {
  try {
    return parse(text, dialectOf(options));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = startLine(text, options, typeof error.records === "number" ? error.records : 0);
    const reason = reasons[error.code] ?? error.message;
    return failure("CSV_MALFORMED", `${reason} (in the record that starts at line ${line}).`, { line });
  }
}

const dialectOf = (options: Options) => ({
  columns: false as const,
  relax_column_count: true, // counted in toRecords, to say what is wrong
  delimiter: options.delimiter,
  quote: options.quote,
  escape: options.quote,
  trim: options.trim,
  skip_empty_lines: options.skipEmptyLines,
  record_delimiter: ["\r\n", "\n", "\r"],
});

const reasons: Partial<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "A quoted field is never closed",
  INVALID_OPENING_QUOTE:
    "There is a quote inside a field that does not start with one; quote the whole field and double the quote",
  CSV_INVALID_CLOSING_QUOTE:
    "After the closing quote of a field comes neither delimiter nor line end; double a quote that is meant as text",
};

/**
 * The line on which the record of that index starts. Reads the records before it once more, with their
 * positions, which costs four times the plain reading; so only failures pay for it.
 */
function startLine(text: string, options: Options, index: number): number {
  const parsed: unknown = index === 0 ? [] : parse(text, { ...dialectOf(options), info: true, to: index });
  const bytes = (parsed as { info: { bytes: number } }[]).at(-1)?.info.bytes ?? 0; // what `info: true` gives
  const before = Buffer.from(text, "utf8").subarray(0, bytes).toString("utf8").length;
  const blank = options.skipEmptyLines ? (/^[\r\n]*/.exec(text.slice(before))?.[0].length ?? 0) : 0;
  return positionAt(text, before + blank).line;
}

function checkColumns(columns: readonly string[], options: Options): TransformResult | undefined {
  const seen = new Set<string>();
  for (const [i, name] of columns.entries()) {
    const reason =
      name === ""
        ? "has no name"
        : name === "__proto__"
          ? "may not be named __proto__"
          : seen.has(name)
            ? `repeats the name ${name}`
            : "";
    if (reason !== "")
      return failure("CSV_HEADER", `Column ${i + 1} ${reason}.`, { line: 1, path: String(i) });
    seen.add(name);
  }
  const unknownColumn = Object.keys(options.types).find((name) => !seen.has(name));
  if (unknownColumn === undefined) return undefined;
  const known = columns.slice(0, 50).join(", ");
  return failure(
    "CSV_COLUMN_UNKNOWN",
    `There is no column ${unknownColumn} to give a type; there are ${known}.`,
    {
      path: `types.${unknownColumn}`,
    },
  );
}

function toRecords(
  rows: readonly (readonly string[])[],
  columns: readonly string[],
  options: Options,
  text: string,
): TransformResult {
  if (rows.length * columns.length > limits.nodes) {
    return failure("INPUT_TOO_LARGE", `There are more than ${limits.nodes} fields.`, { path: "text" });
  }
  const typed = columns.map(
    (name) => [name, Object.hasOwn(options.types, name) ? options.types[name] : undefined] as const,
  );
  const records: Json[] = [];
  for (let i = options.header ? 1 : 0; i < rows.length; i++) {
    const fields = rows[i] ?? [];
    if (fields.length !== columns.length) {
      const line = startLine(text, options, i);
      const message = `Line ${line} has ${fields.length} fields; there are ${columns.length} columns.`;
      return failure("CSV_RAGGED", message, { line });
    }
    const entry: { [column: string]: Json } = {};
    for (const [c, [column, type]] of typed.entries()) {
      const field = fields[c] ?? "";
      const converted = type === undefined ? undefined : convert(field, type);
      if (converted === undefined) {
        entry[column] = field;
      } else if (converted.ok) {
        entry[column] = converted.value as Json; // text to text, number or boolean
      } else if (converted.missing) {
        entry[column] = null;
      } else {
        const line = startLine(text, options, i);
        const where = { line, path: `/${records.length}/${column}` };
        return failure("CSV_TYPE", `Line ${line}, column ${column}: ${converted.message}.`, where);
      }
    }
    records.push(entry);
  }
  return success(records);
}
