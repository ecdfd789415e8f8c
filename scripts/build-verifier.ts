/**
 * Makes packages/receipts/verify.html: the verifier in one file that needs nothing else and may reach nothing.
 * `npm run build:verifier` writes it; it is committed, so that a checkout serves it without a build.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { rolldown } from "rolldown";

const page = join(import.meta.dirname, "../packages/receipts/page");
export const verifierFile = join(page, "../verify.html");

/** The name that the script gives to what it decides by. */
export const verifierGlobal = "oarsVerifier";

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

async function bundle(): Promise<string> {
  const build = await rolldown({
    input: join(page, "main.ts"),
    platform: "browser",
    tsconfig: false,
    checks: { preferBuiltinFeature: false },
  });
  try {
    const { output } = await build.generate({ format: "iife", name: verifierGlobal, comments: false });
    if (output.length !== 1) throw new Error("the page is more than one file");
    return output[0].code;
  } finally {
    await build.close();
  }
}

/** The whole file. Throws when its parts cannot stand inside each other. */
export async function buildVerifier(): Promise<string> {
  const [frame, style, code] = await Promise.all([
    readFile(join(page, "page.html"), "utf8"),
    readFile(join(page, "style.css"), "utf8"),
    bundle(),
  ]);
  const script = `\n${code.trim()}\n`;
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style))
    throw new Error("the page would end inside of its own script or style");
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return [
    ['content="default-src"', `content="${policy}"`],
    ["/* style */", style],
    ["/* script */", script],
  ].reduce((html, [place = "", part = ""]) => html.replace(place, () => part), frame);
}

if (import.meta.main) await writeFile(verifierFile, await buildVerifier());
