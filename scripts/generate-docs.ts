/**
 * Writes the generated references from the tables in the code: `npm run docs`. With `--check` it writes
 * nothing and exits 1 when a file is not what the code says.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type OpenApi, renderApi } from "./reference/api.ts";
import { renderConfiguration, renderEnvExample } from "./reference/configuration.ts";
import { firstDifference } from "./reference/difference.ts";
import { renderErrors } from "./reference/errors.ts";

interface Page {
  readonly path: string;
  readonly text: string;
}

const root = join(import.meta.dirname, "..");

async function pages(): Promise<Page[]> {
  return [
    { path: ".env.example", text: renderEnvExample() },
    { path: "docs/reference/configuration.md", text: renderConfiguration() },
    { path: "docs/reference/errors.md", text: renderErrors() },
    ...(await apiPages()),
  ];
}

/** The HTTP door describes itself: `buildOpenApi(): OpenApi` in its index. Without it there is no page. */
async function apiPages(): Promise<Page[]> {
  const face = join(root, "apps/server/src/doors/http/index.ts");
  if (!existsSync(face)) return [];
  const door = (await import(pathToFileURL(face).href)) as {
    buildOpenApi?: () => OpenApi | Promise<OpenApi>;
  }; // its optional part
  const document = await door.buildOpenApi?.();
  if (!document) return [];
  return [
    { path: "docs/reference/api.md", text: renderApi(document) },
    { path: "docs/reference/openapi.json", text: `${JSON.stringify(document, null, 2)}\n` },
  ];
}

const current = async (path: string): Promise<string> =>
  existsSync(join(root, path)) ? readFile(join(root, path), "utf8") : "";

async function check(): Promise<number> {
  let stale = 0;
  for (const { path, text } of await pages()) {
    const difference = firstDifference(await current(path), text);
    if (difference === undefined) continue;
    stale += 1;
    console.error(`${path} is not what the code says, from line ${difference.line} on:`);
    console.error(`  has:    ${difference.has}\n  should: ${difference.should}`);
  }
  if (stale > 0) console.error("Run `npm run docs` and commit what it writes.");
  return stale > 0 ? 1 : 0;
}

async function write(): Promise<number> {
  for (const { path, text } of await pages()) {
    const changed = (await current(path)) !== text;
    if (changed) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    console.log(`${changed ? "written  " : "unchanged"} ${path}`);
  }
  return 0;
}

process.exitCode = process.argv.includes("--check") ? await check() : await write();
