/**
 * One process per data directory. The lock file holds the process id; a lock whose process is gone is
 * taken over. Creation is exclusive, so of two starters one wins.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OarsError } from "#platform/kernel";

export interface PidLock {
  release(): void;
}

export function lockDirectory(dir: string, pid: number = process.pid): PidLock {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, "oars.pid");
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(file, `${pid} ${startOf(pid)}\n`, { flag: "wx", mode: 0o600 });
      return { release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // Node file errors carry a code
      const holder = readHolder(file);
      if (holder && holder.pid !== pid && isAlive(holder))
        throw new OarsError("STORE_LOCKED", { dir, pid: holder.pid });
      rmSync(file, { force: true });
    }
  }
  throw new OarsError("STORE_LOCKED", { dir, pid: 0 });
}

interface Holder {
  readonly pid: number;
  readonly started: string;
}

function readHolder(file: string): Holder | undefined {
  try {
    const [pid, started] = readFileSync(file, "utf8").trim().split(" ");
    return Number(pid) > 0 ? { pid: Number(pid), started: started ?? "" } : undefined;
  } catch {
    return undefined; // gone between the two looks: the next attempt decides
  }
}

/** A pid comes round again after a reboot: where the system tells when a process started, that must match too. */
function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false; // Node system errors carry a code
  }
  return holder.started === "" || holder.started === startOf(holder.pid);
}

/** Start time of a process in clock ticks since boot (Linux), or "" where it cannot be known. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
