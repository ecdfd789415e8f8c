import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const entry = fileURLToPath(new URL("./main.ts", import.meta.url));

interface Told {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command; `onLine` may act on the process while it tells its story. */
function tell(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  onLine: (line: string, child: ChildProcess) => void = () => {},
): Promise<Told> {
  const { NODE_OPTIONS: _, ...env } = process.env; // the options of the test runner are not the demo's
  const child = spawn(command, args, { cwd: repository, env, stdio: ["ignore", "pipe", "pipe"] });
  signal.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const seen = out.lastIndexOf("\n") + 1;
    out += chunk;
    for (const line of out.slice(seen, out.lastIndexOf("\n") + 1).split("\n")) onLine(line, child);
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    err += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve({ code, out, err }));
  });
}

const pidOf = (out: string): number => Number(/OARS .* pid (\d+)/.exec(out)?.[1]);
const dataOf = (out: string): string => /^ +data +(\S+)$/m.exec(out)?.[1] ?? "";

function expectNothingLeft(out: string): void {
  expect(() => process.kill(pidOf(out), 0)).toThrow("ESRCH");
  expect(dataOf(out)).toContain("oars-demo-");
  expect(existsSync(dataOf(out))).toBe(false);
}

const direct = ["--conditions=oars-source", entry];

describe("npm run demo", () => {
  it("tells the whole way of an order and leaves nothing behind", { timeout: 120_000 }, async ({
    signal,
  }) => {
    const told = await tell("npm", ["run", "--silent", "demo"], signal);
    expect(told.code, told.err).toBe(0);
    for (const line of [
      /WH-SF-001 is chosen/,
      /1,000 km to every warehouse are assumed/,
      /parked as waiting, and nothing was sent/,
      /403 APPROVAL_REQUESTER/,
      /XML_MALFORMED at line 13, column 41/,
      /sent three times, twice at once, is one run/,
      /401 WEBHOOK_SIGNATURE_INVALID/,
      /runs completed +300\n/,
      /with different bodies +0\n/,
      /orders with more or less than one shipment +0\n/,
      /exit 0: 9 receipts, 9 verified/,
      /exit 1: 9 receipts, 8 verified, 1 tampered with/,
      /All \d+ checks held/,
      /What to try next/,
    ]) {
      expect(told.out).toMatch(line);
    }
    expect(told.out, "colours belong on a terminal").not.toContain("\u001b");
    expectNothingLeft(told.out);
  });

  it("ends its server and removes its data on Ctrl-C", { timeout: 60_000 }, async ({ signal }) => {
    const told = await tell(process.execPath, direct, signal, (line, child) => {
      if (line.includes("flow.yaml is valid")) child.kill("SIGINT");
    });
    expect(told.code).toBe(130);
    expect(told.err).toContain("Interrupted");
    expectNothingLeft(told.out);
  });

  it("fails with one clear line when the server dies on it", { timeout: 60_000 }, async ({ signal }) => {
    let shown = "";
    const told = await tell(process.execPath, direct, signal, (line) => {
      shown += `${line}\n`;
      if (line.includes("flow.yaml is valid")) process.kill(pidOf(shown), "SIGKILL");
    });
    expect(told.code).toBe(1);
    expect(told.err).toContain("FAILED: the server ended on its own (SIGKILL)");
    expectNothingLeft(told.out);
  });
});
