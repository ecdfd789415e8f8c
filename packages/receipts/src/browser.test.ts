import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const folder = new URL("./", import.meta.url);
const nodeOnly = /^(node|main|cli.*)\.ts$/;
const core = readdirSync(folder).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !nodeOnly.test(name),
);
const importsOf = (name: string): string[] =>
  [...readFileSync(new URL(name, folder), "utf8").matchAll(/from "([^"]+)"/g)].map((found) => found[1] ?? "");

describe("the core of the package", () => {
  it("has files to look at", () => expect(core.length).toBeGreaterThan(15));

  it.each(core)("%s imports only other files of the core, so a browser can load it", (name) => {
    for (const target of importsOf(name)) {
      expect(target).toMatch(/^\.\//);
      expect(core).toContain(target.slice(2));
    }
  });

  it.each(core)("%s uses no global that only Node has", (name) => {
    expect(readFileSync(new URL(name, folder), "utf8")).not.toMatch(/\b(Buffer|process|require)[.(]/);
  });

  it("depends on no other package", () => {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(manifest.dependencies ?? {}).toEqual({});
  });
});
