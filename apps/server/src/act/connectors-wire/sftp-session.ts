import type { Socket } from "node:net";
import { posix } from "node:path";
import Client from "ssh2-sftp-client";
import {
  brokenOff,
  type CallContext,
  failed,
  type OperationContext,
  type OperationOutcome,
  refusal,
  scrubber,
  storableText,
} from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import type { SftpSettings, UploadInput } from "./sftp-connector.ts";

interface Session {
  readonly client: Client;
  /** The path on the server, whose folder is below the root whatever links there are. */
  within(path: string): Promise<string>;
  /** From now on the server may have acted when the connection breaks. */
  acting(): void;
}

type Work = (session: Session) => Promise<{ [key: string]: Json }>;

class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One session over a judged socket, for one operation. */
async function withSession(
  context: CallContext<SftpSettings>,
  idempotent: boolean,
  work: Work,
): Promise<OperationOutcome> {
  const { settings, tenantId, name } = context.connection;
  const timeoutMs = Math.min(context.timeoutMs, settings.timeout);
  const begin = performance.now();
  let secrets: Secrets;
  let socket: Socket;
  try {
    secrets = await secretsOf(context);
    const { host, port } = settings;
    socket = await context.dialer.connect({ host, port, timeoutMs, signal: context.signal, tenantId });
  } catch (error) {
    return refusal(error);
  }
  const client = new Client();
  for (const event of ["error", "end", "close"] as const) client.on(event, () => undefined); // calls reject by themselves
  const left = Math.max(1, timeoutMs - (performance.now() - begin));
  const at = { acting: false, timedOut: false, key: true };
  const stop = (): void => {
    at.timedOut = true;
    socket.destroy();
  };
  const timer = setTimeout(stop, left);
  context.signal?.addEventListener("abort", stop, { once: true });
  const closed = new Promise<never>((_, reject) => {
    socket.once("close", () => reject(new Error("the connection was closed")));
  });
  closed.catch(() => undefined);
  try {
    const run = async () => {
      await client.connect({
        sock: socket,
        username: settings.user,
        ...secrets.login,
        readyTimeout: left,
        hostHash: "sha256",
        hostVerifier: (hash: string) => {
          at.key = Buffer.from(hash, "hex").toString("base64").replace(/=+$/, "") === fingerprintOf(settings);
          return at.key;
        },
      });
      const session: Session = {
        client,
        within: (path) => placeOf(client, settings, path),
        acting: () => {
          at.acting = true;
        },
      };
      return await work(session);
    };
    return { status: "completed", output: await Promise.race([run(), closed]) };
  } catch (error) {
    return outcomeOf(error, { ...at, idempotent, name, clean: scrubber(secrets.values) });
  } finally {
    clearTimeout(timer);
    context.signal?.removeEventListener("abort", stop);
    socket.destroy();
  }
}

const fingerprintOf = (settings: SftpSettings): string =>
  settings.hostKey.slice("SHA256:".length).replace(/=+$/, "");

interface Secrets {
  readonly login: { readonly password?: string; readonly privateKey?: string; readonly passphrase?: string };
  readonly values: readonly string[];
}

async function secretsOf(context: CallContext<SftpSettings>): Promise<Secrets> {
  const { auth } = context.connection.settings;
  if ("password" in auth) {
    const password = await context.secrets(auth.password);
    return { login: { password }, values: [password] };
  }
  const privateKey = await context.secrets(auth.privateKey);
  if (auth.passphrase === undefined) return { login: { privateKey }, values: [privateKey] };
  const passphrase = await context.secrets(auth.passphrase);
  return { login: { privateKey, passphrase }, values: [privateKey, passphrase] };
}

/** A link inside the root may lead out of it: the folder that the server itself names must still be inside. */
async function placeOf(client: Client, settings: SftpSettings, path: string): Promise<string> {
  const whole = posix.join(settings.root, path);
  const base = await client.realPath(settings.root);
  const folder = path === "/" ? base : await client.realPath(posix.dirname(whole));
  if (base === "" || folder === "") throw new Refused("SFTP_ENOENT", `the folder of ${path} does not exist`);
  const inside = (real: string): boolean => base === "/" || real === base || real.startsWith(`${base}/`);
  if (!inside(folder)) throw new Refused("SFTP_OUTSIDE", `${path} leads out of the connection's root`);
  if (path === "/") return base;
  const place = posix.join(folder, posix.basename(whole));
  const found = await client.exists(place);
  if (found === "l" || (found !== false && !inside(await client.realPath(place))))
    throw new Refused("SFTP_OUTSIDE", `${path} is a link`);
  return place;
}

interface At {
  readonly acting: boolean;
  readonly timedOut: boolean;
  readonly key: boolean;
  readonly idempotent: boolean;
  readonly name: string;
  readonly clean: (text: string) => string;
}

/** Status codes of the protocol (draft-02 §7) are answers; anything else broke the connection. */
const answers = new Set(["ENOENT", "EACCES", "ERR_BAD_PATH", "ERR_NOT_FILE", "2", "3", "4", "5", "8"]);

function outcomeOf(error: unknown, at: At): OperationOutcome {
  if (!(error instanceof Error)) throw error;
  const code = "code" in error ? String(error.code) : "";
  const message = `${at.name}: ${at.clean(error.message).slice(0, 500)}.`;
  if (error instanceof Refused) return failed(code, message);
  if (!at.key) {
    const advice = "the server shows another key than the connection's hostKey; nothing was sent to it";
    return failed("SFTP_HOST_KEY", `${at.name}: ${advice}.`);
  }
  if (/authentication|privateKey|passphrase/i.test(error.message) && !at.acting)
    return failed("SFTP_AUTH", message);
  if (answers.has(code) && !at.timedOut) {
    const name = { "2": "ENOENT", "3": "EACCES" }[code] ?? code;
    return failed(`SFTP_${name}`, message);
  }
  const broken = at.timedOut ? "SFTP_TIMEOUT" : "SFTP_CONNECTION";
  return brokenOff({ code: broken, message }, { sent: at.acting, idempotent: at.idempotent, passing: true });
}

export const list = (context: CallContext<SftpSettings>, path: string): Promise<OperationOutcome> =>
  withSession(context, true, async ({ client, within }) => {
    const { maxEntries } = context.connection.settings;
    const found = await client.list(await within(path));
    const entries = found.slice(0, maxEntries).map((one) => ({
      name: storableText(one.name),
      type: one.type === "d" ? "folder" : one.type === "l" ? "link" : "file",
      size: one.size,
      modifiedAt: new Date(one.modifyTime).toISOString(),
    }));
    return { entries, complete: found.length <= maxEntries };
  });

export const download = (context: CallContext<SftpSettings>, path: string): Promise<OperationOutcome> =>
  withSession(context, true, async ({ client, within }) => {
    const { maxBytes } = context.connection.settings;
    const place = await within(path);
    const { size } = await client.stat(place);
    if (size > maxBytes)
      throw new Refused("SFTP_TOO_LARGE", `${path} has ${size} bytes, more than ${maxBytes}`);
    const bytes = await client.get(place, undefined, {
      readStreamOptions: { end: maxBytes },
    } as Client.TransferOptions); // end is passed on to the stream
    if (!Buffer.isBuffer(bytes) || bytes.length > maxBytes)
      throw new Refused("SFTP_TOO_LARGE", `${path} has more than ${maxBytes} bytes`);
    const text = decoded(bytes);
    return text === undefined
      ? { content: bytes.toString("base64"), base64: true, size: bytes.length }
      : { content: text, base64: false, size: bytes.length };
  });

function decoded(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

export const upload = (
  context: OperationContext<SftpSettings>,
  input: UploadInput,
): Promise<OperationOutcome> =>
  withSession(context, input.overwrite, async ({ client, within, acting }) => {
    const content = Buffer.from(input.content, input.base64 ? "base64" : "utf8");
    const place = await within(input.path);
    if (!input.overwrite && (await client.exists(place)) !== false)
      throw new Refused("SFTP_EXISTS", `${input.path} is there already; \`overwrite\` replaces it`);
    const key = context.idempotencyKey.replace(/[^A-Za-z0-9]/g, "").slice(0, 32);
    const part = posix.join(posix.dirname(place), `.oars-${key}.part`);
    await client.put(content, part);
    acting();
    if (input.overwrite) await replace(client, part, place);
    else await client.rename(part, place); // draft-02 §6.5: refused when the name is taken
    return { path: input.path, size: content.length };
  });

/** In one step where the server has OpenSSH's extension; else the old file is gone for a moment. */
async function replace(client: Client, part: string, place: string): Promise<void> {
  try {
    await client.posixRename(part, place);
  } catch (error) {
    if (!(error instanceof Error) || !/does not support/i.test(error.message)) throw error;
    if ((await client.exists(place)) !== false) await client.delete(place);
    await client.rename(part, place);
  }
}

export const remove = (context: CallContext<SftpSettings>, path: string): Promise<OperationOutcome> =>
  withSession(context, false, async ({ client, within, acting }) => {
    const place = await within(path);
    acting();
    await client.delete(place);
    return { path };
  });

export const move = (
  context: CallContext<SftpSettings>,
  path: string,
  to: string,
): Promise<OperationOutcome> =>
  withSession(context, false, async ({ client, within, acting }) => {
    const [from, place] = [await within(path), await within(to)];
    if ((await client.exists(place)) !== false) throw new Refused("SFTP_EXISTS", `${to} is there already`);
    acting();
    await client.rename(from, place);
    return { path: to };
  });
