/** Golden files are for ever: a released receipt must read the same in every later version. New ones are added here. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const folder = new URL("./vectors/", import.meta.url);
const digests = JSON.parse(readFileSync(new URL("digests.json", folder), "utf8")) as Record<string, string>;

describe("golden files", () => {
  it("are those that were released, byte for byte", () => {
    expect(Object.keys(digests).length).toBeGreaterThan(40);
    for (const [name, digest] of Object.entries(digests)) {
      const bytes = readFileSync(new URL(name, folder));
      expect(createHash("sha256").update(bytes).digest("hex"), name).toBe(digest);
    }
  });
});
