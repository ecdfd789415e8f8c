/** `2026-01-05 10:30:00 +01:00 (3 min ago)`: absolute in the zone of the machine, then relative to now. */
export function when(at: string | null | undefined, now: Date): string | undefined {
  if (at === null || at === undefined) return undefined;
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : `${absolute(date)} (${relative(date, now)})`;
}

export function absolute(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString();
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${zoneOf(minutes)}`;
}

function zoneOf(minutes: number): string {
  if (minutes === 0) return "UTC";
  const two = (n: number): string => String(Math.floor(n)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

const units = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
] as const;

export function relative(date: Date, now: Date): string {
  const seconds = Math.round((date.getTime() - now.getTime()) / 1_000);
  const [size, unit] = units.find(([least]) => Math.abs(seconds) >= least) ?? [1, "s"];
  if (seconds === 0) return "now";
  const amount = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
  return seconds < 0 ? `${amount} ago` : `in ${amount}`;
}

/** How long something took. */
export function took(from: string | null, to: string | null): string {
  if (from === null || to === null) return "";
  const ms = new Date(to).getTime() - new Date(from).getTime();
  return ms < 1_000
    ? `${ms} ms`
    : ms < 120_000
      ? `${(ms / 1_000).toFixed(1)} s`
      : `${Math.round(ms / 60_000)} min`;
}

const factors: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `500ms`, `30s`, `10m`, `1h`; undefined for any other text. */
export function durationMs(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const factor = factors[unit];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}
