/**
 * Everything that must hold before a commit, except the tests: format and lint, types, the rules of the house,
 * generated documents. Parts run side by side, as many as there are processors; all of them run to the end.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";

interface Part {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly output: string;
}

const root = join(import.meta.dirname, "..");
const plain: boolean = process.stdout.isTTY !== true;
const bin = (name: string): string => join(root, "node_modules", ".bin", name);

/** Longest first, so that the parts end together. */
const parts: readonly Part[] = [
  { name: "types", command: bin("tsc"), args: ["-p", "tsconfig.json"] },
  {
    name: "format and lint",
    command: bin("biome"),
    args: ["ci", ".", `--colors=${plain ? "off" : "force"}`],
  },
  {
    name: "types of the verifier's page",
    command: bin("tsc"),
    args: ["-p", "packages/receipts/page"],
  },
  { name: "rooms", command: bin("vitest"), args: ["run", "--reporter=dot", "apps/server/src/rooms.test.ts"] },
  {
    name: "generated documents",
    command: process.execPath,
    args: ["--conditions=oars-source", "scripts/generate-docs.ts", "--check"],
  },
];

function run({ name, command, args }: Part): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    const shell = process.platform === "win32"; // .bin holds .cmd files there
    const env = plain ? { ...process.env, NO_COLOR: "1" } : process.env;
    const child = spawn(command, [...args], { cwd: root, env, shell, stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    const end = (ok: boolean): void => {
      const seconds = (performance.now() - started) / 1000;
      resolve({ name, ok, seconds, output: Buffer.concat(chunks).toString("utf8") });
    };
    child.on("error", (error) => {
      chunks.push(Buffer.from(error.message));
      end(false);
    });
    child.on("close", (code) => end(code === 0));
  });
}

async function checkAll(): Promise<readonly Outcome[]> {
  const waiting = [...parts];
  const done: Outcome[] = [];
  const work = async (): Promise<void> => {
    for (let part = waiting.shift(); part; part = waiting.shift()) {
      const outcome = await run(part);
      done.push(outcome);
      console.log(
        `${outcome.ok ? "ok    " : "FAILED"} ${outcome.seconds.toFixed(1).padStart(5)} s  ${outcome.name}`,
      );
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, work));
  return done;
}

const started = performance.now();
const failed = (await checkAll()).filter((outcome) => !outcome.ok);
for (const { name, output } of failed) console.error(`\n---- ${name} ----\n${output.trim()}`);
console.log(
  `\n${failed.length === 0 ? "All holds" : `${failed.length} failed`}, in ${((performance.now() - started) / 1000).toFixed(1)} s`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
