/** Control characters, and marks that turn the direction of text: what could steer or deceive the terminal. */
const steering = /[^\x20-\x7e\u00a0-\u200d\u2010-\u2027\u2030-\u2065\u206a-\uffff]/g;

/** Text that came from elsewhere, harmless to print. Line breaks stay where `multiline`. */
export const printable = (text: string, multiline = false): string =>
  text.replaceAll(steering, (char) => (multiline && char === "\n" ? char : "\ufffd"));

/** Columns as wide as their widest cell, two spaces apart. The first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => printable(cell)));
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...cells.map((row) => width(row[i] ?? ""))));
  return cells
    .map((row) => row.map((cell, i) => cell + " ".repeat(Math.max(0, (widths[i] ?? 0) - width(cell)))))
    .map((row) => `${row.join("  ").trimEnd()}\n`)
    .join("");
}

/** One name and value per line; those without a value are left out. */
export function fields(
  pairs: readonly (readonly [name: string, value: string | null | undefined])[],
): string {
  const given = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  const widest = Math.max(0, ...given.map(([name]) => name.length));
  return given.map(([name, value = ""]) => `${name.padEnd(widest)}  ${printable(value ?? "")}\n`).join("");
}

/** A JSON value, indented, under a title. Nothing for undefined and null. */
export function block(title: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return `\n${title}\n${printable(text, true).replaceAll(/^/gm, "  ")}\n`;
}

export const clip = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`;

const width = (text: string): number => [...text].length;
