/** Where `oars login` keeps the server's address and the API key: readable by the user alone. */
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { UsageError } from "./failure.ts";

export interface Credentials {
  readonly url: string;
  readonly key: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** `$OARS_CONFIG_DIR/credentials.json`, else `~/.config/oars/credentials.json`. */
export const credentialsPath = (env: Environment): string =>
  join(env.OARS_CONFIG_DIR || join(homedir(), ".config", "oars"), "credentials.json");

/** Undefined when nobody is logged in. Throws UsageError for a file that is damaged or open to other users. */
export async function readCredentials(path: string): Promise<Credentials | undefined> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new UsageError(`${path} cannot be read (${codeOf(error)}).`);
  }
  if (process.platform !== "win32" && ((await stat(path)).mode & 0o077) !== 0) {
    throw new UsageError(`${path} can be read by other users; change it: chmod 600 ${path}`);
  }
  const { url, key } = parsed(content);
  if (typeof url === "string" && typeof key === "string") return { url, key };
  throw new UsageError(`${path} is damaged; log in again: oars login --url URL`);
}

/** Replaces the file at once: there is never half of it, nor one that others can read. */
export async function writeCredentials(path: string, credentials: Credentials): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  await chmod(draft, 0o600);
  await rename(draft, path);
}

/** Whether there was something to remove. */
export async function removeCredentials(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * What to call and as whom. OARS_URL and OARS_KEY come before the file. The file's key is for the file's
 * server: it is never sent to another one that OARS_URL names.
 */
export async function currentCredentials(env: Environment): Promise<Partial<Credentials>> {
  const { OARS_URL: url, OARS_KEY: key } = env;
  if (url && key) return { url, key };
  const stored = await readCredentials(credentialsPath(env));
  if (!url) return { ...stored, ...(key ? { key } : {}) };
  if (stored !== undefined && sameServer(stored.url, url)) return { url, key: key || stored.key };
  return key ? { url, key } : { url };
}

const sameServer = (a: string, b: string): boolean =>
  URL.canParse(a) && URL.canParse(b) && new URL(a).href === new URL(b).href;

const parsed = (content: string): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(content);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
};

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code; // set on system errors
const isMissing = (error: unknown): boolean => codeOf(error) === "ENOENT";
