/** Child processes that never outlive the demo. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts this same Node with `args`. Should the demo end first, whatever the reason, the child is killed. */
export function startNode(args: readonly string[], options: SpawnOptions): Child {
  const child = spawn(process.execPath, args, options);
  const kill = (): void => {
    child.kill("SIGKILL");
  };
  process.prependOnceListener("exit", kill); // before the directory that it writes to is removed
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("exit", kill);
      resolve({ code, signal });
    });
  });
  ended.catch(() => {}); // whoever awaits it hears of it
  return { process: child, ended };
}

/** Asks a child to end with `signal` and kills it when it has not after `withinMs`. */
export async function endChild(child: Child, signal: NodeJS.Signals, withinMs: number): Promise<Ended> {
  const late = setTimeout(() => child.process.kill("SIGKILL"), withinMs);
  child.process.kill(signal);
  try {
    return await child.ended;
  } finally {
    clearTimeout(late);
  }
}

/** Runs a command to its end and answers what it printed. */
export async function runNode(
  args: readonly string[],
  cwd: string,
): Promise<{ code: number | null; out: string }> {
  const child = startNode(args, { cwd, stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH } });
  let out = "";
  const collect = (chunk: Buffer): void => {
    out += chunk.toString("utf8");
  };
  child.process.stdout?.on("data", collect);
  child.process.stderr?.on("data", collect);
  const { code } = await child.ended;
  return { code, out };
}
