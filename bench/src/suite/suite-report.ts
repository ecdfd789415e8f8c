import { millis, type Row, renderTable, times, whole } from "../report.ts";
import { type Figure, type Floor, holds, type Line, type Outcome, type Unit } from "./outcome.ts";

/** A part that ran, or why it did not come to its end. */
export type PartResult = { readonly id: string; readonly title: string; readonly seconds: number } & (
  | Outcome
  | { readonly failed: string }
);

const render: Readonly<Record<Unit, (value: number) => string>> = {
  ms: millis,
  s: (value) => value.toFixed(1),
  "/s": (value) => (Math.abs(value) < 100 ? value.toFixed(1) : whole(value)),
  MiB: (value) => value.toFixed(1),
  x: times,
  count: whole,
};
const suffix: Readonly<Record<Unit, string>> = {
  ms: " ms",
  s: " s",
  "/s": "/s",
  MiB: " MiB",
  x: "",
  count: "",
};

export function renderFigure(value: Figure | string): string {
  if (typeof value === "string") return value;
  const { unit, median, low, high, rounds } = value;
  if (Number.isNaN(median)) return "";
  const show = render[unit];
  return rounds > 1 ? `${show(median)} (${show(low)}-${show(high)})` : show(median);
}

export function renderFloor(floor: Floor): string {
  const { what, value, unit, sense, bound } = floor;
  const show = (n: number): string => `${render[unit](n)}${suffix[unit]}`;
  return `${holds(floor) ? "holds " : "MISSED"}  ${what}: ${show(value)}, floor ${sense} ${show(bound)}`;
}

const row = ({ who, figures }: Line): Row => ({
  who,
  ...Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, renderFigure(value)])),
});

export function renderPart(result: PartResult): string {
  const head = `${result.id}  ${result.title}  (${result.seconds.toFixed(0)} s)`;
  if ("failed" in result) return `${head}\nFAILED: ${result.failed}`;
  const { lines, floors, notes, problems } = result;
  const names = new Set(lines.flatMap(({ figures }) => Object.keys(figures)));
  const blank = Object.fromEntries([...names].map((name) => [name, ""]));
  return [
    head,
    renderTable(lines.map((line) => ({ who: "", ...blank, ...row(line) }))),
    ...floors.map(renderFloor),
    ...notes,
    ...problems.map((problem) => `PROBLEM: ${problem}`),
  ].join("\n");
}

export function renderSummary(results: readonly PartResult[]): string {
  const lines = results.flatMap((result) =>
    "failed" in result
      ? [`FAILED  ${result.id}: ${result.failed.split("\n")[0]}`]
      : [
          ...result.floors.map((floor) => renderFloor(floor).replace("  ", `  ${result.id} `)),
          ...result.problems.map((problem) => `PROBLEM ${result.id} ${problem}`),
        ],
  );
  return ["Floors", ...lines].join("\n");
}
