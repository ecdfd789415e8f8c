/**
 * Random trials for as long as wanted: `npm run test:soak -- --minutes 10`. A failure tells its seed and path;
 * `--seed -123 --path 4:0` runs that one again, and names of tests after `-t` leave the others out.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string" },
    path: { type: "string" },
    test: { type: "string", short: "t" },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes must be a number above 0");

const files = ["model", "crash", "crash-points", "soak"].map((name) => `apps/server/src/${name}.test.ts`);
const child = spawn(
  join(root, "node_modules/.bin/vitest"),
  ["run", "--no-file-parallelism", ...files, ...(values.test ? ["-t", values.test] : [])],
  {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32", // .bin holds .cmd files there
    env: {
      ...process.env,
      OARS_SOAK_MINUTES: String(minutes),
      OARS_SOAK_SEED: values.seed ?? "",
      OARS_SOAK_PATH: values.path ?? "",
    },
  },
);
child.on("close", (code) => process.exit(code ?? 1));
