/** What a run of the tests must not leave behind. */
import { readdir, readFile } from "node:fs/promises";
import process from "node:process";

/** What npm and Node keep in a temporary directory for the next start. */
const foreign: ReadonlySet<string> = new Set(["node-compile-cache"]);

/**
 * Names what is left in the temporary directory, and servers that still run on a data directory in it. Those are
 * killed: they would run for ever. Processes are only looked for where the system shows them as files (Linux).
 */
export async function findLeftovers(temporary: string): Promise<string[]> {
  const names = (await readdir(temporary)).filter((name) => !foreign.has(name));
  const servers: string[] = [];
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!environment.includes(`OARS_DATA_DIR=${temporary}/`)) continue;
    servers.push(`process ${pid}`);
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // it has ended meanwhile
    }
  }
  return [...servers, ...names];
}
