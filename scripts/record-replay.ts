/**
 * Records runs that this version leaves half way, for later versions to end: `node --conditions=oars-source
 * scripts/record-replay.ts`. Once per release; a set that is there is never written again.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { recordReplay } from "../apps/server/src/testing/replay.ts";
import { version } from "../apps/server/src/version.ts";

const folder = join(import.meta.dirname, "../apps/server/src/testing/vectors");
const file = join(folder, `replay-${version}.json`);
await mkdir(folder, { recursive: true });
await writeFile(file, `${JSON.stringify(await recordReplay(version))}\n`, { flag: "wx" });
process.stdout.write(`recorded ${file}\n`);
