import { describe, expect, it } from "vitest";
import { durationMs, relative, took } from "./time.ts";

const now = new Date("2026-01-05T09:30:00.000Z");

it.each([
  ["2026-01-05T09:30:00.400Z", "now"],
  ["2026-01-05T09:29:59.000Z", "1 s ago"],
  ["2026-01-05T09:29:01.000Z", "59 s ago"],
  ["2026-01-05T09:28:30.000Z", "1 min ago"],
  ["2026-01-05T08:29:00.000Z", "1 h ago"],
  ["2026-01-03T09:30:00.000Z", "2 d ago"],
  ["2026-01-05T10:29:00.000Z", "in 59 min"],
])("%s is %s", (at, text) => {
  expect(relative(new Date(at), now)).toBe(text);
});

it.each([
  ["2026-01-05T09:30:00.120Z", "120 ms"],
  ["2026-01-05T09:30:02.460Z", "2.5 s"],
  ["2026-01-05T09:40:00.000Z", "10 min"],
])("until %s is %s", (to, text) => {
  expect(took(now.toISOString(), to)).toBe(text);
});

describe("a duration", () => {
  it.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["10m", 600_000],
    ["1h", 3_600_000],
    ["1", undefined],
    ["1.5s", undefined],
    ["-1s", undefined],
    ["s", undefined],
    ["1 s", undefined],
  ])("%j is %j", (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });
});
