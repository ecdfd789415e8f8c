import { describe, expect, it } from "vitest";
import type { OperationOutcome } from "#act/connector-kit";
import { createBreaker } from "./breaker.ts";

const failed = (code: string, http?: number): OperationOutcome => ({
  status: "failed",
  error: { code, message: "", retry: "retryable" },
  retryable: true,
  ...(http === undefined ? {} : { http }),
});
const fine: OperationOutcome = { status: "completed", output: {}, http: 200 };

describe("a circuit", () => {
  const open = () => {
    let now = 0;
    const breaker = createBreaker({ failures: 3, openMs: 1_000 }, () => now);
    return { breaker, pass: (ms: number) => (now += ms) };
  };

  it("[B1] [B2] opens after failures in a row, then one call finds out", () => {
    const { breaker, pass } = open();
    for (const code of ["NET_TIMEOUT", "NET_RESET", "HTTP_503"]) {
      expect(breaker.enter("a")).toBe(0);
      breaker.ended("a", failed(code, code === "HTTP_503" ? 503 : undefined));
    }
    expect(breaker.enter("a")).toBe(1_000);
    expect(breaker.enter("b")).toBe(0);
    pass(1_000);
    expect(breaker.state("a")).toMatchObject({ state: "half_open", failures: 3 });
    expect(breaker.enter("a")).toBe(0);
    expect(breaker.enter("a")).toBeGreaterThan(0); // one at a time
    breaker.ended("a", failed("NET_TIMEOUT"));
    expect(breaker.state("a")).toMatchObject({ state: "open", failures: 4, lastCode: "NET_TIMEOUT" });
    pass(1_000);
    breaker.enter("a");
    breaker.ended("a", fine);
    expect(breaker.state("a")).toEqual({ state: "closed", failures: 0, lastCode: null, retryMs: 0 });
  });

  it("[B3] is closed by any answer of the system, and not touched by what never reached it", () => {
    const { breaker } = open();
    const fail = () => breaker.ended("a", failed("NET_RESET"));
    fail();
    fail();
    breaker.ended("a", failed("SECRET_NOT_FOUND"));
    expect(breaker.state("a").failures).toBe(2);
    breaker.ended("a", failed("HTTP_404", 404));
    expect(breaker.state("a").failures).toBe(0);
  });
});
