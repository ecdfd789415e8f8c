import { expect, it } from "vitest";
import { createSecretCache } from "./secret-cache.ts";

it("reads once within 5 s, and again after", async () => {
  let now = 0;
  let reads = 0;
  const cache = createSecretCache(() => now);
  const get = (): Promise<string> => cache.get("t", "n", async () => `v${++reads}`);
  expect([await get(), await get()]).toEqual(["v1", "v1"]);
  now = 5000;
  expect(await get()).toBe("v2");
});

it("forgets a dropped value, also one whose read was under way", async () => {
  const cache = createSecretCache();
  const old = Promise.withResolvers<string>();
  const reading = cache.get("t", "n", () => old.promise);
  cache.drop("t", "n");
  old.resolve("old");
  expect(await reading).toBe("old");
  expect(await cache.get("t", "n", async () => "new")).toBe("new");
});

it("does not keep failures", async () => {
  const cache = createSecretCache();
  await expect(cache.get("t", "n", () => Promise.reject(new Error("down")))).rejects.toThrow("down");
  expect(await cache.get("t", "n", async () => "up")).toBe("up");
});

it("keeps tenants apart and stays small", async () => {
  const cache = createSecretCache();
  for (let i = 0; i <= 1000; i++) await cache.get(`t${i}`, "n", async () => `${i}`);
  expect(await cache.get("t1000", "n", async () => "read again")).toBe("1000");
  expect(await cache.get("t0", "n", async () => "read again")).toBe("read again");
});
