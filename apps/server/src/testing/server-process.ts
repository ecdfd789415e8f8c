/** The server as a child process: started, killed and stopped as an operator would. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

export interface ServerProcess {
  readonly url: string;
  /** What it printed until it was ready. */
  readonly banner: string;
  /** From start to ready. */
  readonly ms: number;
  readonly ended: Promise<Ended>;
  /** As if its power had gone. */
  kill(): Promise<Ended>;
  /** Ctrl-C. */
  interrupt(): Promise<Ended>;
  signal(signal: NodeJS.Signals): void;
  /** Answers of its API as the holder of the key. Fails when the server is gone. */
  ask(key: string, method: string, path: string, body?: unknown): Promise<Asked>;
}

export interface Asked {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what the contract's own tests hold
  readonly json: any;
}

export interface ServerEnv {
  readonly [name: string]: string;
}

/**
 * Starts it and answers once it is ready. Fails with `code` and `signal` of its end when that comes first. Of
 * `work` the URL is that of its health.
 */
export async function startServer(
  env: ServerEnv,
  command: readonly string[] = ["serve"],
): Promise<ServerProcess> {
  const started = performance.now();
  const port = await freePort();
  const portVariable = command[0] === "work" ? "OARS_WORK_PORT" : "OARS_PORT";
  const child = spawn(process.execPath, ["--conditions=oars-source", main, ...command], {
    env: { [portVariable]: String(port), OARS_LOG_LEVEL: "error", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = end(child);
  const kill = (): void => void child.kill("SIGKILL"); // a test that fails must not leave it behind
  process.once("exit", kill);
  void ended.then(() => process.off("exit", kill));
  const banner = await ready(child, ended);
  const url = `http://127.0.0.1:${port}`;
  const signalled = (signal: NodeJS.Signals): Promise<Ended> => {
    child.kill(signal);
    return ended;
  };
  return {
    url,
    banner,
    ms: performance.now() - started,
    ended,
    kill: () => signalled("SIGKILL"),
    interrupt: () => signalled("SIGINT"),
    signal: (signal) => void child.kill(signal),
    ask: async (key, method, path, body) => {
      const answer = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(20_000),
      });
      const text = await answer.text();
      return { status: answer.status, json: text === "" ? null : JSON.parse(text) };
    },
  };
}

function end(child: ChildProcess): Promise<Ended> {
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
  });
  return new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal, stderr }));
  });
}

async function ready(child: ChildProcess, ended: Promise<Ended>): Promise<string> {
  let text = "";
  const banner = new Promise<void>((resolve) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-8000);
      if (text.includes("Ctrl-C stops it")) resolve();
    });
  });
  const early = ended.then(({ code, signal, stderr }) => {
    const message = `the server ended before it was ready (${signal ?? code}): ${stderr}`;
    throw Object.assign(new Error(message), { code, signal });
  });
  early.catch(() => {}); // heard only until the banner
  await Promise.race([banner, early]);
  return text;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject).listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
