import { describe, expect, it } from "vitest";
import { createPressure, type MemoryReading } from "./pressure.ts";

const gib = 1024 ** 3;

/** A pressure whose readings and time are set by hand. */
function stage(limitShare = 0.8) {
  const state = { at: 0, usedHeap: 0, resident: 0, allowed: 0, garbage: 0, collections: 0 };
  const changes: boolean[] = [];
  const pressure = createPressure({
    limitShare,
    onChange: (high) => changes.push(high),
    now: () => state.at,
    read: (): MemoryReading => ({
      usedHeap: state.usedHeap * gib,
      heapLimit: gib,
      resident: state.resident * gib,
      allowed: state.allowed * gib,
    }),
    collect: () => {
      state.collections++;
      state.usedHeap -= state.garbage;
    },
  });
  const after = (ms: number, how: Partial<typeof state> = {}): boolean => {
    Object.assign(state, how);
    state.at += ms;
    return pressure.high();
  };
  return { pressure, after, changes, state };
}

describe("the pressure of memory", () => {
  it("[M1] is high from the share on, and not again until a tenth of it is free", () => {
    const { after, changes } = stage();
    expect(after(100, { usedHeap: 0.79 })).toBe(false);
    expect(after(100, { usedHeap: 0.8 })).toBe(true);
    expect(after(100, { usedHeap: 0.75 })).toBe(true);
    expect(after(100, { usedHeap: 0.71 })).toBe(false);
    expect(after(100, { usedHeap: 0.79 })).toBe(false);
    expect(changes).toEqual([true, false]);
  });

  it("[M1] goes by the heap or by what the container allows, whichever is nearer to its limit", () => {
    const { after, pressure } = stage();
    expect(after(100, { usedHeap: 0.2, resident: 0.9, allowed: 0 })).toBe(false);
    expect(after(100, { allowed: 1 })).toBe(true);
    expect(pressure.share()).toBeCloseTo(0.9);
    expect(after(100, { allowed: 4 })).toBe(false);
    expect(pressure.share()).toBeCloseTo(0.225);
  });

  it("[M2] collects a heap that stays high, at most every ten seconds, and believes what is left", () => {
    const { after, state } = stage();
    expect(after(100, { usedHeap: 0.95, garbage: 0.05 })).toBe(true);
    expect(after(500)).toBe(true);
    expect(state.collections).toBe(0);
    expect(after(600)).toBe(true);
    expect(state.collections).toBe(1);
    expect(after(5_000)).toBe(true);
    expect(state.collections).toBe(1);
    expect(after(5_000, { garbage: 0.5 })).toBe(false);
    expect(state.collections).toBe(2);
  });

  it("costs nothing to ask often: it reads at most ten times a second", () => {
    let reads = 0;
    let at = 0;
    const pressure = createPressure({
      limitShare: 0.8,
      onChange: () => {},
      now: () => at,
      read: () => ({ usedHeap: ++reads, heapLimit: 100, resident: 0, allowed: 0 }),
      collect: () => {},
    });
    for (let i = 0; i < 1_000; i++) {
      at = i;
      pressure.high();
    }
    expect(reads).toBe(10);
  });

  it("knows this process as it is, and can collect its garbage", () => {
    const pressure = createPressure({ limitShare: 1, onChange: () => {} });
    expect(pressure.share()).toBeGreaterThan(0);
    expect(pressure.share()).toBeLessThan(1);
    let at = 0;
    const full = createPressure({ limitShare: 0.001, onChange: () => {}, now: () => at });
    expect(full.high()).toBe(true);
    at = 2_000;
    expect(full.high()).toBe(true); // it has collected, and a thousandth is never enough
  });
});
