import { z } from "zod";

/** Spans of time as authors of flows write them. */

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const durationShape = /^(\d{1,12})(ms|s|m|h|d)$/;

/** Milliseconds of `500ms`, `2s`, `5m`, `1h`, `1d`; undefined for any other text. */
export function durationMs(text: string): number | undefined {
  const [, amount, unit] = durationShape.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * units[unit as keyof typeof units]; // the shape admits these units
}

/** A duration from `min` to `max`, both included. */
export const duration = (min: string, max: string) =>
  z
    .string()
    .regex(durationShape, { error: "must be a whole number and a unit: 500ms, 2s, 5m, 1h, 1d", abort: true })
    .refine(
      (text) => {
        const ms = durationMs(text) ?? -1;
        return ms >= (durationMs(min) ?? 0) && ms <= (durationMs(max) ?? 0);
      },
      { error: `must be from ${min} to ${max}` },
    )
    .meta({ examples: ["30s"] });
