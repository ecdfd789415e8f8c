import { readFile, writeFile } from "node:fs/promises";
import { RefusedError, UsageError } from "./failure.ts";
import { findJsonFault } from "./json-fault.ts";
import type { Terminal } from "./terminal.ts";

/** The text of a file, or of standard input for `-`. Throws UsageError when it cannot be read. */
export async function readSource(path: string, terminal: Terminal): Promise<string> {
  if (path === "-") return terminal.readInput();
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${reasonOf(error)}.`);
  }
}

/** Throws UsageError when it cannot be written. `mode` for what only the user may read. */
export async function writeResult(path: string, text: string | Uint8Array): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new UsageError(`${path} cannot be written: ${reasonOf(error)}.`);
  }
}

/** Throws RefusedError with the place where the JSON breaks. */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const fault = findJsonFault(text);
    const problems = fault === undefined ? [] : [{ path: "", code: "json_malformed", ...fault }];
    throw new RefusedError("JSON_MALFORMED", `${nameOf(file)} is not JSON.`, problems, file);
  }
}

/** Throws RefusedError when the file holds anything but one JSON object. */
export function parseJsonObject(text: string, file: string): Record<string, unknown> {
  const value = parseJson(text, file);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new RefusedError("JSON_MALFORMED", `${nameOf(file)} must hold one JSON object.`, [], file);
}

export const nameOf = (file: string): string => (file === "-" ? "standard input" : file);

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "you may not do that",
  EISDIR: "it is a folder",
  EROFS: "the file system is read-only",
};

function reasonOf(error: unknown): string {
  const code = (error as { code?: string }).code ?? ""; // set on system errors
  return reasons[code] ?? (error instanceof Error ? error.message : String(error));
}
