/** What a part of the full suite finds: figures with their spread, and the floors that they are held against. */
import { median } from "../closed-loop.ts";

export type Unit = "ms" | "s" | "/s" | "MiB" | "x" | "count";

/** Of several rounds: the middle one, the least and the greatest. */
export interface Figure {
  readonly unit: Unit;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export interface Line {
  readonly who: string;
  readonly figures: Readonly<Record<string, Figure | string>>;
}

export interface Floor {
  readonly what: string;
  readonly value: number;
  readonly unit: Unit;
  readonly sense: "at most" | "at least";
  readonly bound: number;
}

export interface Outcome {
  readonly lines: readonly Line[];
  readonly floors: readonly Floor[];
  readonly notes: readonly string[];
  /** What was wrong with what the contenders did: figures of a wrong answer are none. */
  readonly problems: readonly string[];
}

export const figure = (unit: Unit, values: readonly number[]): Figure => ({
  unit,
  median: median(values),
  low: Math.min(...values),
  high: Math.max(...values),
  rounds: values.length,
});

export const holds = ({ value, sense, bound }: Floor): boolean =>
  sense === "at most" ? value <= bound : value >= bound;

export const atMost = (what: string, unit: Unit, value: number, bound: number): Floor => ({
  ...{ what, unit, value, bound },
  sense: "at most",
});

export const atLeast = (what: string, unit: Unit, value: number, bound: number): Floor => ({
  ...{ what, unit, value, bound },
  sense: "at least",
});

/** The value below which `share` (0 to 1) of the values are. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
