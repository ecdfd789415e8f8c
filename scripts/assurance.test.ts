/** docs/reference/assurance.md names tests; each of them is there. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

it("every test that the list of assurances names is there", async () => {
  const text = await readFile(join(root, "docs/reference/assurance.md"), "utf8");
  const cited = [...text.matchAll(/`([\w./-]+\.test\.ts)`(?:: (.+))? \|$/gm)];
  expect(cited.length).toBeGreaterThan(100);
  for (const [, file = "", title = ""] of cited) {
    const code = await readFile(join(root, file), "utf8");
    expect(code.replaceAll('\\"', '"'), file).toContain(
      title.trim().replaceAll("\\|", "|").replaceAll("\\*", "*"),
    );
  }
});
