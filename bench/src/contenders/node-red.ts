/**
 * Part: Node-RED as its command starts it, with one flow: http in, three change nodes with JSONata, http response.
 * It checks no signature and keeps nothing. Settings are its defaults, but for the editor, which is off.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { freePort } from "../http.ts";
import { answerCalls } from "../part.ts";
import { temporaryDirectory } from "../temporary.ts";
import type { WebhookCalls } from "./webhook.ts";
import { expressions, path } from "./webhook-flow.ts";

const startMs = 60_000;

const flows = [
  { id: "flow", type: "tab", label: "orders" },
  { id: "in", z: "flow", type: "http in", url: path, method: "post", wires: [["c0"]] },
  ...expressions.map((expression, index) => ({
    id: `c${index}`,
    z: "flow",
    type: "change",
    rules: [{ t: "set", p: "payload", pt: "msg", to: expression, tot: "jsonata" }],
    wires: [[index + 1 < expressions.length ? `c${index + 1}` : "out"]],
  })),
  { id: "out", z: "flow", type: "http response", wires: [] },
].map((node) => ({ x: 0, y: 0, ...node }));

function createPart(): { calls: WebhookCalls; close: () => Promise<void> } {
  let child: ChildProcess | undefined;
  process.once("exit", () => child?.kill("SIGKILL"));
  const calls: WebhookCalls = {
    open: async () => {
      const dir = await temporaryDirectory("node-red");
      const port = await freePort();
      await writeFile(join(dir, "flows.json"), JSON.stringify(flows));
      const settings = join(dir, "settings.js");
      const values = { flowFile: "flows.json", uiHost: "127.0.0.1", httpAdminRoot: false };
      const log = { console: { level: "warn", metrics: false, audit: false } };
      await writeFile(settings, `module.exports = ${JSON.stringify({ ...values, logging: log })};\n`);
      const root = dirname(createRequire(import.meta.url).resolve("node-red/package.json"));
      const args = [join(root, "red.js"), "--port", String(port), "--userDir", dir, "--settings", settings];
      child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"], cwd: dir });
      const url = `http://127.0.0.1:${port}`;
      await listening(`${url}${path}`, child);
      return url;
    },
    cpu: () => cpuOf(child?.pid ?? 0),
    kept: async () => null,
  };
  return { calls, close: () => stop(child) };
}

/** Until then its server answers that there is no such path, or is not there. */
async function listening(url: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + startMs;
  for (;;) {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body: '{"orderId":"0","lines":[]}' }).catch(
      () => undefined,
    );
    if (answer?.status === 200) return;
    if (child.exitCode !== null || performance.now() > deadline) throw new Error("Node-RED did not start");
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** From the process table of Linux, in ticks of a hundredth of a second; 0 where there is none. */
async function cpuOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10_000;
}

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL"); // it keeps nothing
  await gone;
}

const part = createPart();
answerCalls(part.calls, part.close);
