/**
 * The commands of README and guides, executed against a started server, so that what people paste works.
 *
 * A `sh` block whose line before is `<!-- run -->` is executed; `<!-- file NAME -->` before any block writes its text
 * to NAME. The blocks of one document are one shell session (`bash -euo pipefail`) in a directory of their own that
 * looks like the checkout; `KEY` is the administrator's key, and ports and `/tmp` stand for free and temporary ones.
 * `npm run --silent oars` and `npx` are short cuts to what they would start: npm itself takes most of a second.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Block, blocksOf } from "./markdown-blocks.ts";

const root = join(import.meta.dirname, "..");
const documents = [
  "README.md",
  "docs/guides/first-flow.md",
  "docs/guides/policies.md",
  "docs/guides/verify.md",
  "docs/guides/evidence.md",
  "docs/guides/operate.md",
  "docs/guides/alerts-and-siem.md",
  "docs/guides/operate-runs.md",
  "examples/sync-answer/README.md",
];

interface Stage {
  readonly dir: string;
  readonly key: string;
  readonly port: number;
  readonly receiverPort: number;
  readonly children: readonly ChildProcess[];
}

/** The checkout as links, so that what a document writes does not land in it. */
async function linkCheckout(dir: string): Promise<void> {
  const hidden = [".git", ".oars", ".env"];
  const names = (await readdir(root)).filter((name) => !hidden.includes(name));
  await Promise.all(names.map((name) => symlink(join(root, name), join(dir, name))));
  await mkdir(join(dir, "tmp"));
}

async function writeShortCuts(dir: string): Promise<void> {
  const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  }; // our own manifest
  const npm = `case "$1 $2 $3 $4" in
  "run --silent oars --") shift 4; exec ${scripts.oars} "$@" ;;
  *) echo "snippets.test.ts has no short cut for npm $*" >&2; exit 2 ;;
esac`;
  await mkdir(join(dir, "short-cuts"));
  await writeFile(join(dir, "short-cuts/npm"), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
  await writeFile(join(dir, "short-cuts/npx"), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
}

async function openStage(): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), "oars-snippets-"));
  await linkCheckout(dir);
  await writeShortCuts(dir);
  const [port, receiverPort] = await Promise.all([freePort(), freePort()]);
  const receiver = spawn(process.execPath, ["examples/receiver.ts", String(receiverPort)], {
    cwd: dir,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const server = spawn(process.execPath, ["--conditions=oars-source", "apps/server/src/main.ts", "serve"], {
    cwd: dir,
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH,
      OARS_PORT: String(port),
      OARS_DATA_DIR: join(dir, "data"),
      OARS_EGRESS_ALLOW: "127.0.0.1/32",
      OARS_LOG_LEVEL: "warn",
    },
  });
  const [banner] = await Promise.all([printed(server, /Ctrl-C/), printed(receiver, /listening/)]);
  const key = /^\s+(oars_\S+)$/m.exec(banner)?.[1] ?? "";
  return { dir, key, port, receiverPort, children: [server, receiver] };
}

async function closeStage({ dir, children }: Stage): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      const gone = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      if (child.exitCode === null) await gone;
    }),
  );
  await rm(dir, { recursive: true, force: true });
}

/** What a child has printed once it has printed this. */
function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk.toString("utf8");
      if (pattern.test(out)) resolve(out);
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it was ready:\n${out}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** One shell script from the marked blocks of a document. */
function scriptOf(blocks: readonly Block[], stage: Stage): string {
  const steps = blocks.flatMap(({ mark, text: body, line }) => {
    if (mark === "run") return [`echo "## line ${line}" >&2`, body];
    const [, file] = /^file (\S+)$/.exec(mark) ?? [];
    return file === undefined ? [] : [`cat > ${file} <<'END-OF-FILE'`, `${body}END-OF-FILE`];
  });
  return ["set -euo pipefail", ...steps, ""]
    .join("\n")
    .replaceAll("localhost:8080", `localhost:${stage.port}`)
    .replaceAll("127.0.0.1:9090", `127.0.0.1:${stage.receiverPort}`)
    .replaceAll("/tmp/", "tmp/");
}

async function runScript(script: string, stage: Stage): Promise<{ code: number | null; out: string }> {
  const shell = spawn("bash", ["-c", script], {
    cwd: stage.dir,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: [join(stage.dir, "short-cuts"), join(root, "node_modules/.bin"), process.env.PATH].join(":"),
      HOME: stage.dir,
      KEY: stage.key,
    },
  });
  const ended = new Promise<number | null>((done) => shell.once("close", done));
  const [out, err, code] = await Promise.all([text(shell.stdout), text(shell.stderr), ended]);
  return { code, out: `${err}\n${out}` };
}

describe("what people paste", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(async () => {
    if (stage) await closeStage(stage);
  });

  it.each(documents)("the commands of %s work, in their order", { timeout: 120_000 }, async (document) => {
    const blocks = blocksOf(await readFile(join(root, document), "utf8"));
    expect(blocks.filter((b) => b.mark === "run").length).toBeGreaterThan(0);
    const { code, out } = await runScript(scriptOf(blocks, stage), stage);
    expect(code, out).toBe(0);
    if (process.env.SHOW_SNIPPETS) console.log(out);
  });
});
