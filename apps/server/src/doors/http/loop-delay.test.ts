import { afterEach, describe, expect, it } from "vitest";
import { until } from "#testing";
import { type LoopDelay, watchLoopDelay } from "./loop-delay.ts";

const block = (ms: number): void => {
  for (const end = performance.now() + ms; performance.now() < end; );
};

describe("the event loop", () => {
  let loop: LoopDelay;
  afterEach(() => loop.stop());

  it("is late while it is blocked again and again, and is no more once it runs freely", async () => {
    loop = watchLoopDelay(100);
    expect(loop.isLate()).toBe(false);
    await until("it is late", () => {
      block(300);
      return loop.isLate();
    });
    await until("it is in time", () => !loop.isLate());
  });
});
