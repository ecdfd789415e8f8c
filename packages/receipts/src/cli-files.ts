/** Finds evidence: files, folders of them, or standard input. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseJson } from "./disclosure.ts";
import { splitEvidence } from "./evidence.ts";
import { FormatError } from "./format-error.ts";
import { isTrustDocument, type TrustDocument } from "./trust.ts";

export interface FoundEvidence {
  /** File name, and the number of the item when the file holds several. */
  readonly place: string;
  readonly text: string;
  readonly receiptId?: string;
}

export interface Found {
  readonly evidence: readonly FoundEvidence[];
  /** What could not be read, one sentence each. */
  readonly problems: readonly string[];
}

const evidenceName = /\.(json|jws|sd-jwt|sdjwt|tlog-proof|receipt)$/;

async function pathsOf(path: string): Promise<string[]> {
  if (path === "-" || !(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile() && evidenceName.test(entry.name));
  return files.map((entry) => join(entry.parentPath, entry.name)).sort();
}

const read = (path: string): Promise<string> => (path === "-" ? text(process.stdin) : readFile(path, "utf8"));

/** Everything under the given paths. Trust documents inside a folder are passed over: they are never trusted by place. */
export async function findEvidence(paths: readonly string[]): Promise<Found> {
  const evidence: FoundEvidence[] = [];
  const problems: string[] = [];
  for (const given of paths) {
    try {
      const inside = await pathsOf(given);
      for (const path of inside) {
        const content = await read(path);
        if (inside.length > 1 && isTrust(content)) continue;
        evidence.push(...itemsOf(path, content, problems));
      }
      if (inside.length === 0) problems.push(`${given}: the folder holds no evidence`);
    } catch (error) {
      problems.push(`${given}: ${reasonOf(error)}`);
    }
  }
  return { evidence, problems };
}

function itemsOf(path: string, content: string, problems: string[]): FoundEvidence[] {
  const name = path === "-" ? "standard input" : path;
  try {
    const items = splitEvidence(content);
    if (items.length === 0) problems.push(`${name}: the bundle is empty`);
    return items.map((item, i) => ({ ...item, place: items.length > 1 ? `${name} #${i + 1}` : name }));
  } catch (error) {
    problems.push(`${name}: ${reasonOf(error)}`);
    return [];
  }
}

const isTrust = (content: string): boolean => {
  try {
    return isTrustDocument(JSON.parse(content));
  } catch {
    return false; // not JSON, so not a trust document
  }
};

/** Reads trust documents: one, or a list of them, per file. Throws FormatError that names the file. */
export async function readTrustFiles(paths: readonly string[]): Promise<TrustDocument[]> {
  const documents: TrustDocument[] = [];
  for (const path of paths) {
    let value: unknown;
    try {
      value = parseJson(await readFile(path, "utf8"), "the file");
    } catch (cause) {
      throw new FormatError(`${path}: ${reasonOf(cause)}`, { cause });
    }
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (!list.every(isTrustDocument))
      throw new FormatError(`${path}: not the answer of GET /v1/trust/tenants/<tenant>/keys`);
    documents.push(...list);
  }
  return documents;
}

/** A short reason for people: system errors by their code, the rest by their message. */
export function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown }).code; // set on system errors
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "it may not be read";
  return error instanceof Error ? error.message : String(error);
}
