/**
 * A Restate server of its own, from the npm package of its binaries, as it comes: one node, its log flushed to
 * the disk, 24 partitions. Nothing of it is sent out.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { freePort } from "../http.ts";
import { temporaryDirectory } from "../temporary.ts";

export interface RestateServer {
  /** Where its callers call. */
  readonly ingress: string;
  readonly admin: string;
  readonly pid: number;
  /** Makes the services behind this URL known to it. */
  register(uri: string): Promise<void>;
  /** One statement of its introspection. */
  query<Row>(query: string): Promise<Row[]>;
  stop(): Promise<void>;
}

const startMs = 60_000;

export async function startRestate(settings: Readonly<Record<string, string>> = {}): Promise<RestateServer> {
  const [ingressPort, adminPort, nodePort] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(binary(), ["--no-logo"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      RESTATE_BASE_DIR: await temporaryDirectory("restate"),
      RESTATE_NODE_NAME: "bench",
      RESTATE_BIND_IP: "127.0.0.1",
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_ADDRESS: `127.0.0.1:${nodePort}`,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingressPort}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${adminPort}`,
      RESTATE_LOG_FILTER: "error",
      RESTATE_DISABLE_TELEMETRY: "true",
      ...settings,
    },
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  process.once("exit", () => child.kill("SIGKILL"));
  const admin = `http://127.0.0.1:${adminPort}`;
  await ready(admin, child, () => said);
  return {
    ingress: `http://127.0.0.1:${ingressPort}`,
    admin,
    pid: child.pid ?? 0,
    register: (uri) => register(admin, uri),
    query: async <Row>(query: string) => {
      const { rows } = await ask<{ rows: Row[] }>(`${admin}/query`, { query });
      return rows;
    },
    stop: () => stop(child),
  };
}

function binary(): string {
  const name = `@restatedev/restate-server-${process.platform}-${process.arch}`;
  const here = createRequire(import.meta.url);
  const own = createRequire(here.resolve("@restatedev/restate-server/package.json"));
  const path = join(dirname(own.resolve(`${name}/package.json`)), "bin", "restate-server");
  if (!existsSync(path)) throw new Error(`${name} holds no server`);
  return path;
}

async function ask<T>(url: string, body: object): Promise<T> {
  const headers = { "content-type": "application/json", accept: "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text}`);
  return JSON.parse(text) as T; // by Restate's admin API
}

async function ready(admin: string, child: ChildProcess, said: () => string): Promise<void> {
  const deadline = performance.now() + startMs;
  for (;;) {
    const answer = await fetch(`${admin}/health`).catch(() => undefined);
    if (answer?.ok) return;
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`Restate did not start: ${said()}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** A server that has just started may not yet take one. */
async function register(admin: string, uri: string): Promise<void> {
  const deadline = performance.now() + startMs;
  for (;;) {
    try {
      await ask(`${admin}/deployments`, { uri });
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL"); // an orderly end takes it seconds; its data goes with it
  await gone;
}
