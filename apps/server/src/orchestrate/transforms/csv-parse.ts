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
interface CsvRow {
  readonly fields: readonly string[];
  /** Bytes of the text before this record. */
  readonly from: number;
}

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
    const columns = options.columns ?? rows[0]?.fields ?? [];
    const wrong = checkColumns(columns, options);
    return wrong ?? toRecords(options.header ? rows.slice(1) : rows, columns, options, text);
  },
});

function readRows(text: string, options: Options): CsvRow[] | TransformResult {
  try {
    const parsed: unknown = parse(text, {
      info: true,
      columns: false,
      relax_column_count: true, // counted below, to say what is wrong
      delimiter: options.delimiter,
      quote: options.quote,
      escape: options.quote,
      trim: options.trim,
      skip_empty_lines: options.skipEmptyLines,
      record_delimiter: ["\r\n", "\n", "\r"],
    });
    const records = parsed as { record: string[]; info: { bytes: number } }[]; // what `info: true` gives
    return records.map(({ record: fields }, i) => ({ fields, from: records[i - 1]?.info.bytes ?? 0 }));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = startLine(text, typeof error.bytes_records === "number" ? error.bytes_records : 0);
    const reason = reasons[error.code] ?? error.message;
    return failure("CSV_MALFORMED", `${reason} (in the record that starts at line ${line}).`, { line });
  }
}

const reasons: Partial<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "A quoted field is never closed",
  INVALID_OPENING_QUOTE:
    "There is a quote inside a field that does not start with one; quote the whole field and double the quote",
  CSV_INVALID_CLOSING_QUOTE:
    "After the closing quote of a field comes neither delimiter nor line end; double a quote that is meant as text",
};

/** The line on which the record after the first `bytes` bytes starts, past blank lines. */
function startLine(text: string, bytes: number): number {
  const before = Buffer.from(text, "utf8").subarray(0, bytes).toString("utf8").length;
  const blank = /^[\r\n]*/.exec(text.slice(before, before + 10_000))?.[0].length ?? 0;
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
  rows: readonly CsvRow[],
  columns: readonly string[],
  options: Options,
  text: string,
): TransformResult {
  if (rows.length * columns.length > limits.nodes) {
    return failure("INPUT_TOO_LARGE", `There are more than ${limits.nodes} fields.`, { path: "text" });
  }
  const records: Json[] = [];
  for (const [i, { fields, from }] of rows.entries()) {
    if (fields.length !== columns.length) {
      const line = startLine(text, from);
      const message = `Line ${line} has ${fields.length} fields; there are ${columns.length} columns.`;
      return failure("CSV_RAGGED", message, { line });
    }
    const entry: { [column: string]: Json } = {};
    for (const [c, column] of columns.entries()) {
      const field = fields[c] ?? "";
      const type = Object.hasOwn(options.types, column) ? options.types[column] : undefined;
      const converted = convert(field, type ?? "string");
      if (converted.ok) {
        entry[column] = converted.value as Json; // text to text, number or boolean
      } else if (converted.missing) {
        entry[column] = null;
      } else {
        const line = startLine(text, from);
        const where = { line, path: `/${i}/${column}` };
        return failure("CSV_TYPE", `Line ${line}, column ${column}: ${converted.message}.`, where);
      }
    }
    records.push(entry);
  }
  return success(records);
}
