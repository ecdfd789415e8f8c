/** The OARS server as a child process, started, killed and stopped as an operator would. */
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CheckFailed } from "./check.ts";
import { type Child, type Ended, endChild, startNode } from "./child.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const startWithinMs = 60_000;
const stopWithinMs = 20_000;

export interface Place {
  /** Data and log live here. */
  readonly dir: string;
  readonly port: number;
}

export interface OarsServer {
  readonly url: string;
  readonly pid: number;
  /** From start to ready. */
  readonly ms: number;
  /** The administrator's key, on the first start with a data directory only. */
  readonly adminKey: string | undefined;
  /** Rejects when the server ends on its own. */
  readonly died: Promise<never>;
  /** As if its power had gone. */
  kill(): Promise<void>;
  /** Asks it to stop in order, as Ctrl-C does. */
  stop(): Promise<Ended>;
}

export const logOf = (place: Place): string => join(place.dir, "server.log");

/** Answers when the server is ready for requests. Throws CheckFailed with its last words when it is not. */
export async function startServer(place: Place): Promise<OarsServer> {
  const started = performance.now();
  const log = createWriteStream(logOf(place), { flags: "a" });
  const child = startNode(["--conditions=oars-source", "apps/server/src/main.ts", "serve"], {
    cwd: repository,
    stdio: ["ignore", "pipe", "pipe"],
    env: environment(place),
  });
  child.process.stderr?.pipe(log, { end: false });
  let expected = false;
  const died = child.ended.then(async ({ code, signal }): Promise<never> => {
    if (expected) return new Promise(() => {});
    throw new CheckFailed(
      `the server ended on its own (${signal ?? `exit ${code}`})${await lastWords(place)}`,
    );
  });
  died.catch(() => {}); // the demo races it against its steps
  void child.ended.then(
    () => log.end(),
    () => log.end(),
  );
  const banner = await withinStart(child, Promise.race([readBanner(child, log), died]));
  return {
    url: `http://127.0.0.1:${place.port}`,
    pid: child.process.pid ?? 0,
    ms: Math.round(performance.now() - started),
    adminKey: /\boars_[a-z0-9]+_\S+/.exec(banner)?.[0],
    died,
    kill: async () => {
      expected = true;
      child.process.kill("SIGKILL");
      await child.ended;
    },
    stop: () => {
      expected = true;
      return endChild(child, "SIGINT", stopWithinMs);
    },
  };
}

/** Only what the server needs: settings of this shell must not change what the demo shows. */
const environment = (place: Place): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  OARS_DATA_DIR: join(place.dir, "data"),
  OARS_PORT: String(place.port),
  OARS_PUBLIC_URL: `http://127.0.0.1:${place.port}`,
  OARS_EGRESS_ALLOW: "127.0.0.1/32",
});

/** The banner holds the key, so it stays out of the log file; JSON lines go there. */
function readBanner(child: Child, log: NodeJS.WritableStream): Promise<string> {
  return new Promise((resolve) => {
    let banner = "";
    if (child.process.stdout === null) return;
    createInterface({ input: child.process.stdout }).on("line", (line) => {
      if (line.startsWith("{")) log.write(`${line}\n`);
      else banner += `${line}\n`;
      if (line.includes("Ctrl-C stops it")) resolve(banner);
    });
  });
}

async function withinStart<T>(child: Child, ready: Promise<T>): Promise<T> {
  const late = setTimeout(() => child.process.kill("SIGKILL"), startWithinMs);
  try {
    return await ready;
  } finally {
    clearTimeout(late);
  }
}

async function lastWords(place: Place): Promise<string> {
  const text = await readFile(logOf(place), "utf8").catch(() => "");
  const telling = text.split("\n").filter((line) => line.trim() !== "" && !/^\s+at /.test(line));
  return telling.length === 0 ? "" : `:\n  ${telling.slice(-5).join("\n  ")}`;
}

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject).listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
