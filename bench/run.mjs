/**
 * Entry of every benchmark: `node bench/run.mjs <name> [options]`. Installs the peers of bench/package.json
 * where they are missing, then runs the TypeScript with the Node of the repository.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const bench = fileURLToPath(new URL(".", import.meta.url));
const benches = {
  engine: "durable steps beside DBOS Transact, Restate and the bare database; --suite full: everything",
  action: "a governed HTTP action, beside the same call ungoverned",
  approval: "races for approvals between two servers; --rounds N",
  policy: "policy decisions in process",
  verify: "signing and verifying one receipt",
  sign: "receipts and their log: rate, lag, growth to 10 M leaves, proofs, export; --quick",
};

const [name = "", ...rest] = process.argv.slice(2);
if (!Object.hasOwn(benches, name)) {
  const list = Object.entries(benches).map(([key, what]) => `  ${key.padEnd(8)} ${what}`);
  console.error(`Usage: node bench/run.mjs <name> [options]\n\n${list.join("\n")}\n`);
  console.error("`engine` and `action` take --help.");
  process.exit(name === "" || name === "--help" ? 0 : 2);
}
if (needsInstall()) {
  const npm = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"];
  const shell = process.platform === "win32"; // npm is a .cmd there
  const { status } = spawnSync("npm", npm, { cwd: bench, shell, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) process.exit(status ?? 1);
}
const ours = join(bench, "..", "node_modules", ".bin", "node");
const node = process.platform !== "win32" && existsSync(ours) ? ours : process.execPath;
const args = ["--conditions=oars-source", join(bench, "src", `${name}.ts`), ...rest];
process.on("SIGINT", () => {}); // the benchmark puts everything away first
spawn(node, args, { stdio: "inherit" }).on("exit", (code) => process.exit(code ?? 1));

/** A peer is missing, or installed in another version than the one that package.json names. */
function needsInstall() {
  const { dependencies } = JSON.parse(readFileSync(join(bench, "package.json"), "utf8"));
  return Object.entries(dependencies).some(([dependency, version]) => {
    const installed = join(bench, "node_modules", dependency, "package.json");
    return !existsSync(installed) || JSON.parse(readFileSync(installed, "utf8")).version !== version;
  });
}
