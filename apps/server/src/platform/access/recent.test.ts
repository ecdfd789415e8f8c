import { expect, it } from "vitest";
import { createRecent, type Recent } from "./recent.ts";

interface Thing {
  readonly n: number;
}

function setup(most = 10): { recent: Recent<Thing>; at: (ms: number) => void } {
  let now = 1000;
  return {
    recent: createRecent<Thing>({ lifeMs: 100, most, now: () => now }),
    at: (ms) => {
      now = ms;
    },
  };
}

it("reads once while a value is recent, and again after or when the clock went back", async () => {
  const { recent, at } = setup();
  let reads = 0;
  const get = async (): Promise<number | undefined> =>
    (await recent.get("k", async () => ({ n: ++reads })))?.n;
  expect([await get(), await get()]).toEqual([1, 1]);
  at(1099);
  expect(await get()).toBe(1);
  at(1100);
  expect(await get()).toBe(2);
  at(500);
  expect(await get()).toBe(3);
});

it("many who ask at once share one read", async () => {
  const { recent } = setup();
  let reads = 0;
  const all = await Promise.all(
    Array.from({ length: 20 }, () => recent.get("k", async () => ({ n: ++reads }))),
  );
  expect(new Set(all.map((v) => v?.n))).toEqual(new Set([1]));
});

it("keeps neither absence nor failure", async () => {
  const { recent } = setup();
  expect(await recent.get("k", async () => undefined)).toBeUndefined();
  await expect(recent.get("k", () => Promise.reject(new Error("down")))).rejects.toThrow("down");
  expect(await recent.get("k", async () => ({ n: 1 }))).toEqual({ n: 1 });
});

it("does not keep a read that a drop overtook", async () => {
  const { recent } = setup();
  const slow = Promise.withResolvers<Thing>();
  const first = recent.get("k", () => slow.promise);
  recent.drop(() => false);
  const second = recent.get("k", async () => ({ n: 2 }));
  expect(await second).toEqual({ n: 2 });
  slow.resolve({ n: 1 });
  await first;
  expect(await recent.get("k", async () => ({ n: 3 }))).toEqual({ n: 2 });
});

it("drops what it is told to and stays within its size", async () => {
  const { recent } = setup(2);
  for (const n of [1, 2, 3]) await recent.get(`${n}`, async () => ({ n }));
  expect(await recent.get("1", async () => ({ n: 10 }))).toEqual({ n: 10 });
  recent.drop((v) => v.n === 10);
  expect(await recent.get("1", async () => ({ n: 11 }))).toEqual({ n: 11 });
  expect(await recent.get("3", async () => ({ n: 30 }))).toEqual({ n: 3 });
});
