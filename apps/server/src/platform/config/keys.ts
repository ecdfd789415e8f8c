import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { OarsError } from "#platform/kernel";
import { decodeKey, Secret } from "./secret.ts";

/** The two secrets that a server cannot run without. */
export interface Keys {
  readonly dataEncryption: Secret<Uint8Array>;
  readonly jwt: Secret<string>;
}

/**
 * The given keys, and for each that is null the one kept in `<dataDir>/keys/`, made on first use (files of
 * mode 0600 in a directory of mode 0700). Processes that start at once get the same keys. Throws
 * CONFIG_INVALID when a kept key is damaged or readable by others: it is never replaced silently, for what
 * it sealed would be lost.
 */
export async function loadOrCreateKeys(
  dataDir: string,
  given: { readonly [K in keyof Keys]: Keys[K] | null } = { dataEncryption: null, jwt: null },
): Promise<Keys> {
  const kept = async (name: string, variable: string): Promise<string> => {
    const path = join(dataDir, "keys", name);
    const text = await keepOnce(path, variable);
    if (!decodeKey(text)) throw damaged(path, variable, "does not hold 32 bytes in base64");
    return text;
  };
  return {
    dataEncryption:
      given.dataEncryption ??
      new Secret(decodeKey(await kept("data-encryption.key", "OARS_DATA_ENCRYPTION_KEY")) as Uint8Array), // checked above
    jwt: given.jwt ?? new Secret(await kept("jwt.key", "OARS_JWT_SECRET")),
  };
}

/** The text of the file, which is written whole under another name and linked into place, so nobody reads half. */
async function keepOnce(path: string, variable: string): Promise<string> {
  const found = await readPrivate(path, variable);
  if (found !== undefined) return found;
  await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString("base64")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path); // fails when another process was first, like O_EXCL
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    await unlink(draft);
  }
  const kept = await readPrivate(path, variable);
  if (kept === undefined) throw damaged(path, variable, "vanished");
  return kept;
}

async function readPrivate(path: string, variable: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw damaged(path, variable, "can be read by other users (run `chmod 600` on it)");
    }
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

const damaged = (path: string, variable: string, why: string): OarsError => {
  const message = `${path} ${why}; restore it, or set ${variable}`;
  return new OarsError(
    "CONFIG_INVALID",
    { problems: `  ${message}` },
    {
      errors: [{ path: variable, code: "key_file", message }],
    },
  );
};

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && (error as NodeJS.ErrnoException).code === code; // Node's file errors carry it
