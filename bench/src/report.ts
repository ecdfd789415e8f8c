/** What is printed: facts of the machine, tables, and the same as JSON. */
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";

export const machineFacts = (): Record<string, string> => ({
  cores: `${availableParallelism()} (${cpus()[0]?.model.trim() ?? "unknown"})`,
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  node: process.version,
  load: `${loadavg()
    .map((value) => value.toFixed(1))
    .join(" ")} before the start`,
});

export const renderFacts = (facts: Readonly<Record<string, string>>): string =>
  Object.entries(facts)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

export type Row = Readonly<Record<string, string>>;

/** The first column to the left, the others to the right, as wide as they need. */
export function renderTable(rows: readonly Row[]): string {
  const names = Object.keys(rows[0] ?? {});
  const widths = names.map((name) => Math.max(name.length, ...rows.map((row) => (row[name] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [
    line(names),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.map((row) => line(names.map((name) => row[name] ?? ""))),
  ].join("\n");
}

export const whole = (value: number): string => Math.round(value).toLocaleString("en-US");
export const millis = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(1));
export const times = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(1)}x`;
export const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;

export const caution =
  "All contenders share this machine and take turns, round by round: the ratios count, not the absolute figures.";

/** Texts to standard output and the document to the file, where one is named; "-" puts the document there instead. */
export async function print(json: string | null, document: object, texts: readonly string[]): Promise<void> {
  const text = `${JSON.stringify(document, null, 2)}\n`;
  process.stdout.write(json === "-" ? text : `${texts.join("\n\n")}\n`);
  if (json !== null && json !== "-") await writeFile(json, text);
}
