import { describe, expect, it } from "vitest";
import type { Connection } from "#act/connector-kit";
import { createConnectionCache } from "./connection-cache.ts";

const connectionTo = (name: string): Connection => ({ name }) as never; // the cache reads nothing of it

describe("the cache of connections", () => {
  it("never keeps what a read saw before a put was committed", async () => {
    const cache = createConnectionCache(60_000);
    const [before, after] = [connectionTo("https://a.test"), connectionTo("https://b.test")];
    let finish: (found: typeof before) => void = () => undefined;
    const slow = cache.get(
      "t",
      "wms",
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    cache.drop("t", "wms");
    finish(before);
    expect(await slow).toBe(before);
    expect(await cache.get("t", "wms", async () => after)).toBe(after);
    expect(await cache.get("t", "wms", async () => before)).toBe(after);
  });

  it("asks again for a connection that does not exist", async () => {
    const cache = createConnectionCache(60_000);
    expect(await cache.get("t", "wms", async () => undefined)).toBeUndefined();
    const made = connectionTo("https://a.test");
    expect(await cache.get("t", "wms", async () => made)).toBe(made);
  });
});
