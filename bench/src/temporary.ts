import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new empty directory, gone when this process ends, however it ends short of being killed. */
export async function temporaryDirectory(name: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), `oars-bench-${name}-`));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}
