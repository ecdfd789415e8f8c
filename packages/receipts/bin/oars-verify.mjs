#!/usr/bin/env node
// In a checkout the sources run as they are; the published package has only dist/.
import { existsSync } from "node:fs";

const source = new URL("../src/main.ts", import.meta.url);
const built = new URL("../dist/main.js", import.meta.url);
const canStrip = process.features.typescript !== undefined && process.features.typescript !== false;

if (existsSync(source) && canStrip) await import(source.href);
else if (existsSync(built)) await import(built.href);
else {
  process.stderr.write(
    `oars-verify: Node ${process.versions.node} cannot run the sources; use Node 22.18 or newer.\n`,
  );
  process.exitCode = 2;
}
