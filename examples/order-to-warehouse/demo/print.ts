/** What the demo says: numbered steps, short lines, figures in a column. Colours on a terminal only. */
export interface Printer {
  title(text: string): void;
  /** Begins the next step; steps number themselves. */
  step(title: string): void;
  say(text: string): void;
  /** Label and text, in two columns; long text goes on below itself. */
  fields(rows: readonly (readonly [label: string, value: string])[]): void;
  /** Label and figure, figures right-aligned. */
  figures(rows: readonly (readonly [label: string, value: number | string])[]): void;
  /** Rows of cells under a first row of headings; figures right-aligned. */
  table(rows: readonly (readonly (string | number)[])[]): void;
  /** Lines of another program, as they came. */
  quote(text: string): void;
  /** A check that held. */
  held(text: string): void;
  /** Overwrites itself on a terminal; nothing elsewhere. */
  progress(text: string): void;
}

export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const margin = "    ";
const lineWidth = 100;

export function createPrinter(out: Output): Printer {
  const live = out.isTTY === true;
  const coloured = live && !process.env.NO_COLOR; // no-color.org
  const paint = (code: number, text: string): string => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);
  let steps = 0;
  const line = (text: string): void => {
    out.write(`${live ? "\u001b[2K\r" : ""}${text}\n`);
  };
  return {
    title: (text) => line(`\n${paint(1, text)}`),
    step: (title) => {
      steps += 1;
      line(`\n${String(steps).padStart(2)}  ${paint(1, title)}`);
    },
    say: (text) => line(`${margin}${text}`),
    fields: (rows) => {
      const width = widest(rows.map(([label]) => label));
      for (const [label, value] of rows) {
        const [first = "", ...rest] = wrap(value, lineWidth - margin.length - width - 2);
        line(`${margin}${paint(2, label.padEnd(width))}  ${first}`);
        for (const part of rest) line(`${margin}${" ".repeat(width)}  ${part}`);
      }
    },
    figures: (rows) => {
      const labels = widest(rows.map(([label]) => label));
      const values = widest(rows.map(([, value]) => shown(value)));
      for (const [label, value] of rows)
        line(`${margin}${label.padEnd(labels)}  ${shown(value).padStart(values)}`);
    },
    table: (rows) => {
      for (const text of columns(rows)) line(`${margin}${text}`);
    },
    quote: (text) => {
      for (const part of text.trimEnd().split("\n")) line(`${margin}${paint(2, `| ${part}`)}`);
    },
    held: (text) => line(`${margin}${paint(32, "ok")}  ${text}`),
    progress: (text) => {
      if (live) out.write(`\u001b[2K\r${margin}${paint(2, text)}`);
    },
  };
}

/** Breaks at spaces; a word longer than a line keeps a line of its own. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines.push(`${lines.pop()} ${word}`);
    else lines.push(word);
  }
  return lines;
}

const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map((text) => text.length));

const shown = (value: number | string): string =>
  typeof value === "number" ? value.toLocaleString("en-US") : value;

function columns(rows: readonly (readonly (string | number)[])[]): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, i) => widest(rows.map((row) => shown(row[i] ?? ""))));
  const figured = widths.map((_, i) => rows.slice(1).every((row) => /^[\d.,]+$/.test(shown(row[i] ?? ""))));
  return rows.map((row) =>
    row
      .map((cell, i) =>
        figured[i] ? shown(cell).padStart(widths[i] ?? 0) : shown(cell).padEnd(widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Minor units as people read money: 148466 -> "1,484.66". */
export const money = (minor: number): string =>
  (minor / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
