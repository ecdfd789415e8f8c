/** Part: starts our server as its users do, as a program of its own, and asks it for a first run over HTTP. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { freePort } from "../http.ts";
import { answerCalls } from "../part.ts";

export interface Started {
  /** From the start of the program to its being ready for requests, and to the durable end of a first run. */
  readonly readyMs: number;
  readonly firstMs: number;
  /** The administrator's key, which only the first start shows. */
  readonly adminKey: string;
}

export type OarsProgram = {
  /** On the PostgreSQL database of that URL, or embedded; `adminKey` where the data are there already. */
  start(url: string | null, dir: string, adminKey: string | null): Promise<Started>;
  stop(): Promise<void>;
};

const main = fileURLToPath(new URL("../../../apps/server/src/main.ts", import.meta.url));
const flow = {
  flow: "first",
  version: "1.0.0",
  steps: { one: { use: "noop", durable: true } },
};
const waitMs = 60_000;

function createPart(): { calls: OarsProgram; close: () => Promise<void> } {
  let child: ChildProcess | undefined;
  process.once("exit", () => child?.kill("SIGKILL"));
  const stop = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child?.once("exit", done));
    child.kill("SIGTERM");
    await gone;
  };
  const calls: OarsProgram = {
    start: async (url, dir, adminKey) => {
      const port = await freePort();
      const store = url === null ? {} : { OARS_POSTGRES_URL: url };
      const env = {
        PATH: process.env.PATH ?? "",
        TMPDIR: process.env.TMPDIR,
        OARS_DATA_DIR: dir,
        OARS_PORT: String(port),
        OARS_STORE: url === null ? "pglite" : "postgres",
        OARS_LOG_LEVEL: "warn",
        ...store,
      };
      const started = performance.now();
      const args = ["--conditions=oars-source", main, "serve"];
      child = spawn(process.execPath, args, { env, cwd: dir, stdio: ["ignore", "pipe", "inherit"] });
      const said = await banner(child);
      const readyMs = performance.now() - started;
      const key = adminKey ?? /\boars_\S+/.exec(said)?.[0] ?? "";
      const ask = asker(`http://127.0.0.1:${port}`, key);
      if (adminKey === null) await ask("POST", "/v1/flows", flow);
      const run = await ask("POST", "/v1/runs", { flow: flow.flow, params: {}, respond: "sync" });
      if (run.status !== "completed") throw new Error(`the first run ${run.status}`);
      return { readyMs, firstMs: performance.now() - started, adminKey: key };
    },
    stop,
  };
  return { calls, close: stop };
}

/** All that it says when it is ready. */
function banner(child: ChildProcess): Promise<string> {
  let said = "";
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not ready: ${said}`)), waitMs);
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (!said.includes("http://")) return;
      clearTimeout(late);
      resolve(said);
    });
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
}

const asker = (url: string, key: string) => async (method: string, path: string, body: object) => {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`);
  return JSON.parse(text) as { readonly status?: string }; // by the API's contract
};

const part = createPart();
answerCalls(part.calls, part.close);
