import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new empty directory; whoever asks removes it. */
export const temporaryDirectory = (name: string): Promise<string> =>
  mkdtemp(join(tmpdir(), `oars-bench-${name}-`));
