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
    loop = watchLoopDelay(50);
    await until("it is late", () => {
      block(400);
      return loop.isLate();
    });
    await until("it is in time", () => !loop.isLate());
  });

  it("is not late for one long turn", async () => {
    loop = watchLoopDelay(200);
    block(1_000);
    await new Promise((done) => setTimeout(done)); // its timer has had its turn
    expect(loop.isLate()).toBe(false);
  });
});
