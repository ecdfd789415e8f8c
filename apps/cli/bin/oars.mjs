#!/usr/bin/env node
// In a checkout the sources run as they are; the published package has only dist/.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const canStrip = process.features.typescript !== undefined && process.features.typescript !== false;

if (!existsSync(source)) {
  await import("../dist/main.js");
} else if (!canStrip) {
  process.stderr.write(
    `oars: Node ${process.versions.node} cannot run the sources; use Node 22.18 or newer (npm run oars -- … does).\n`,
  );
  process.exitCode = 2;
} else {
  const args = ["--conditions=oars-source", "--disable-warning=ExperimentalWarning", source];
  const child = spawnSync(process.execPath, [...args, ...process.argv.slice(2)], { stdio: "inherit" });
  if (child.error) throw child.error;
  if (child.signal) process.kill(process.pid, child.signal);
  process.exitCode = child.status ?? 1;
}
