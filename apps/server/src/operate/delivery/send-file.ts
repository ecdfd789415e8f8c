/** Lines of a file that is turned over when it is full. The operator's alone: a tenant names no path. */
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Item, Sent } from "./domain.ts";
import { type Rendering, render } from "./format.ts";
import type { ConfigOf } from "./target-config.ts";

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;

/** Appends with one write and waits until it is on the disk. */
export async function sendFile(
  config: ConfigOf<"file">,
  items: readonly Item[],
  how: Rendering,
): Promise<Sent> {
  try {
    await turnOver(config);
    const file = await open(config.path, "a", 0o640);
    try {
      const lines = items.map((item) => {
        const rendered = render(item, how);
        return `${typeof rendered === "string" ? rendered : JSON.stringify(rendered)}\n`;
      });
      await file.appendFile(lines.join(""));
      await file.datasync();
    } finally {
      await file.close();
    }
    return { kind: "delivered" };
  } catch (error) {
    return {
      kind: "unavailable",
      message: error instanceof Error ? error.message : "the file cannot be written",
    };
  }
}

/** Two processes may do so at once: then there is one file more, and no line less. */
async function turnOver({ path, maxBytes, keep }: ConfigOf<"file">): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    (error) => {
      if (hasCode(error, "ENOENT")) return 0;
      throw error;
    },
  );
  if (size < maxBytes) return;
  const at = new Date().toISOString().replace(/[:.]/g, "-");
  await rename(path, `${path}.${at}-${process.pid}`).catch((error) => {
    if (!hasCode(error, "ENOENT")) throw error;
  });
  const folder = dirname(path);
  const old = (await readdir(folder)).filter((name) => name.startsWith(`${basename(path)}.`)).sort();
  for (const name of old.slice(0, Math.max(0, old.length - keep)))
    await rm(join(folder, name), { force: true });
}
