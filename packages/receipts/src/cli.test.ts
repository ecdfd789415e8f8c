import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "./cli.ts";

const vectors = fileURLToPath(new URL("./vectors/", import.meta.url));
const keys = join(vectors, "trust-acme.json");
let folder: string;

const put = async (name: string, vector: string): Promise<string> => {
  const { input } = JSON.parse(await readFile(join(vectors, vector), "utf8")) as { input: string }; // our own file
  const path = join(folder, name);
  await writeFile(path, input);
  return path;
};
const run = async (...args: string[]): Promise<{ exit: number; out: string; err: string }> => {
  const seen = { out: "", err: "" };
  const exit = await runCli(args, {
    out: (text) => {
      seen.out += text;
    },
    err: (text) => {
      seen.err += text;
    },
  });
  return { exit, ...seen };
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oars-verify-"));
  await put("run.json", "valid-bundle.json");
  await put("one.tlog-proof", "valid-tlog-proof.json");
  await writeFile(join(folder, "keys.json"), await readFile(keys));
});
afterAll(() => rm(folder, { recursive: true }));

describe("oars-verify", () => {
  it("answers 0 for a folder of verified evidence and passes over its trust document", async () => {
    const { exit, out } = await run("--keys", keys, folder);
    expect(exit).toBe(0);
    expect(out).toContain("12 receipts, 12 verified, 0 tampered with, 0 undecided");
  });

  it("answers 1 for one bad receipt among good ones and says which and why", async () => {
    const bad = await put("bad.jws", "invalid-tampered-payload.json");
    const { exit, out } = await run("--keys", keys, join(folder, "run.json"), bad);
    expect(exit).toBe(1);
    expect(out).toContain(`${bad}: signature: the signature does not match header and payload`);
    await rm(bad);
  });

  it("answers 2 without keys, for a missing file, for an unreadable one and for no argument", async () => {
    expect((await run(join(folder, "run.json"))).exit).toBe(2);
    expect((await run("--keys", keys, join(folder, "nothing"))).out).toContain("there is no such file");
    expect((await run("--keys", keys, keys)).exit).toBe(2);
    expect((await run("--keys", join(folder, "run.json"), folder)).err).toContain("not the answer of GET");
    expect((await run()).exit).toBe(2);
    expect((await run("--what")).exit).toBe(2);
  });

  it("answers 2 for a replay that is none, and takes one replay at a time", async () => {
    const bundle = join(folder, "run.json");
    expect(await run("--keys", keys, "--replay", bundle)).toMatchObject({
      exit: 2,
      err: expect.stringContaining("the file is not a replay"),
    });
    expect((await run("--keys", keys, "--replay", bundle, bundle)).exit).toBe(2);
  });

  it("prints the full reports as JSON", async () => {
    const { out } = await run("--json", "--keys", keys, join(folder, "one.tlog-proof"));
    expect(JSON.parse(out)).toMatchObject({
      exitCode: 0,
      receipts: [{ verdict: "verified", leafIndex: 5, treeSize: 11 }],
    });
  });

  it("runs as a program from a checkout and reads standard input", async () => {
    const program = fileURLToPath(new URL("../bin/oars-verify.mjs", import.meta.url));
    const child = promisify(execFile)(process.execPath, [program, "--keys", keys, "-"]);
    child.child.stdin?.end(await readFile(join(folder, "one.tlog-proof")));
    expect((await child).stdout).toContain("1 receipts, 1 verified");
  });
});
