import { describe, expect, it } from "vitest";
import { OarsApiError } from "./errors.ts";
import { backoffMs, delayMs, isPassing, retryAfterMs } from "./retry.ts";

const now = Date.UTC(2026, 0, 5, 9, 30, 0);

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["7", 7_000],
    [" 7 ", 7_000],
    ["Mon, 05 Jan 2026 09:30:10 GMT", 10_000],
    ["Mon, 05 Jan 2026 09:29:00 GMT", 0],
    ["-1", undefined],
    ["1.5", undefined],
    ["soon", undefined],
    ["2026-01-05", undefined],
    ["", undefined],
    [null, undefined],
  ])("%j is %j ms", (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});

describe("the delay", () => {
  it("doubles, stays under five seconds and spreads clients over half of it", () => {
    expect([0, 1, 2, 3].map((n) => backoffMs(n, 1))).toEqual([200, 400, 800, 1_600]);
    expect(backoffMs(0, 0)).toBe(100);
    expect(backoffMs(1_000, 1)).toBe(5_000);
  });

  it("is never shorter than what the server asked for, and up to a second longer", () => {
    expect(delayMs(9, 2_000, 0)).toBe(2_000);
    expect(delayMs(0, 2_000, 1)).toBe(2_200);
    expect(delayMs(0, 60_000, 1)).toBe(61_000);
  });
});

it("a 5xx is passed over only where a repetition cannot do something twice", () => {
  const of = (status: number) =>
    new OarsApiError({ code: "X", status, title: "", detail: "", requestId: "", errors: [] });
  expect([500, 502, 503, 504].map((status) => isPassing(of(status), true))).toEqual([true, true, true, true]);
  expect([500, 502, 503, 504].some((status) => isPassing(of(status), false))).toBe(false);
  expect([501, 505].some((status) => isPassing(of(status), true))).toBe(false);
});
