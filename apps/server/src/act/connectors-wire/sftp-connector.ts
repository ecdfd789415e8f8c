import { z } from "zod";
import {
  type Connector,
  connectionField,
  defineOperation,
  hostField,
  lineField,
  portField,
  secretReference,
  timeoutField,
} from "#act/connector-kit";
import * as session from "./sftp-session.ts";

/** Hostile input enters here: a path below the connection's root. The session checks links as well. */
const path = z
  .string()
  .min(2)
  .max(1_000)
  .refine((text) => text.startsWith("/") && !text.endsWith("/"), {
    error: 'must start with "/" and not end with it',
  })
  .refine((text) => !/\p{Cc}|\\/u.test(text), { error: "must not hold control characters or backslashes" })
  .refine((text) => !text.includes("//") && !text.split("/").some((part) => part === "." || part === ".."), {
    error: 'must not hold "//", "." or ".." segments',
  });

const root = z
  .string()
  .regex(/^\/(?:[^\p{Cc}\\/]+(?:\/[^\p{Cc}\\/]+)*)?$/u, { error: "must be an absolute path" })
  .refine((text) => !text.split("/").some((part) => part === "." || part === ".."), {
    error: 'must not hold "." or ".." segments',
  });

export const sftpConfig = z.strictObject({
  host: hostField,
  port: portField.default(22),
  user: lineField(100),
  auth: z.union([
    z.strictObject({ password: secretReference }),
    z.strictObject({ privateKey: secretReference, passphrase: secretReference.optional() }),
  ]),
  /** `SHA256:…` as `ssh-keygen -l` shows it: a server with another key is not spoken to. */
  hostKey: z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, {
    error:
      'must be the fingerprint of the server\'s key, like "SHA256:…"; ssh-keyscan HOST | ssh-keygen -lf - shows it',
  }),
  /** Paths of operations are below it. */
  root: root.default("/"),
  maxBytes: z.int().min(1).max(20_000_000).default(5_000_000),
  maxEntries: z.int().min(1).max(10_000).default(1_000),
  timeout: timeoutField.default(30_000),
});
export type SftpSettings = z.output<typeof sftpConfig>;

const connection = connectionField;
const fileInput = z.strictObject({ connection, path });
const listInput = z.strictObject({ connection, path: z.union([z.literal("/"), path]).default("/") });
const moveInput = z.strictObject({ connection, path, to: path });
const uploadInput = z.strictObject({
  connection,
  path,
  /** Text, or base64 with `base64: true`. */
  content: z.string().max(20_000_000),
  base64: z.boolean().default(false),
  /** Replaces a file that is there. */
  overwrite: z.boolean().default(false),
});
export type UploadInput = z.output<typeof uploadInput>;

const targetOf = (settings: SftpSettings, text: string): string => {
  const whole = `${settings.root === "/" ? "" : settings.root}${text}`;
  return `${settings.host}:${settings.port}${encodeURI(whole)}`;
};

const list = defineOperation<SftpSettings, z.output<typeof listInput>>({
  name: "sftp.list",
  title: "List a folder",
  description: "Lists the files and folders in a folder.",
  verbs: ["read"],
  input: listInput,
  output: z.looseObject({ entries: z.array(z.json()), complete: z.boolean() }),
  meaning: (settings, input) => ({ verb: "read", target: targetOf(settings, input.path), idempotent: true }),
  execute: (context, input) => session.list(context, input.path),
  emulate: () => ({ entries: [], complete: true }),
});

const download = defineOperation<SftpSettings, z.output<typeof fileInput>>({
  name: "sftp.download",
  title: "Read a file",
  description: "Reads a file; what is no text comes as base64.",
  verbs: ["read"],
  input: fileInput,
  output: z.looseObject({ content: z.string(), base64: z.boolean(), size: z.int() }),
  meaning: (settings, input) => ({ verb: "read", target: targetOf(settings, input.path), idempotent: true }),
  execute: (context, input) => session.download(context, input.path),
  emulate: () => ({ content: "", base64: false, size: 0 }),
});

const upload = defineOperation<SftpSettings, UploadInput>({
  name: "sftp.upload",
  title: "Write a file",
  description: "Writes a file under another name and then gives it its own, so that nobody sees half of it.",
  verbs: ["write"],
  input: uploadInput,
  output: z.looseObject({ path: z.string(), size: z.int() }),
  meaning: (settings, input) => ({
    verb: "write",
    target: targetOf(settings, input.path),
    idempotent: input.overwrite,
  }),
  execute: (context, input) => session.upload(context, input),
  emulate: (_connection, input) => ({
    path: input.path,
    size: Buffer.byteLength(input.content, input.base64 ? "base64" : "utf8"),
  }),
});

const remove = defineOperation<SftpSettings, z.output<typeof fileInput>>({
  name: "sftp.delete",
  title: "Delete a file",
  description: "Deletes a file.",
  verbs: ["delete"],
  input: fileInput,
  output: z.looseObject({ path: z.string() }),
  meaning: (settings, input) => ({
    verb: "delete",
    target: targetOf(settings, input.path),
    idempotent: false,
  }),
  execute: (context, input) => session.remove(context, input.path),
  emulate: (_connection, input) => ({ path: input.path }),
});

const move = defineOperation<SftpSettings, z.output<typeof moveInput>>({
  name: "sftp.move",
  title: "Move a file",
  description: "Gives a file another path; one that is there is not replaced.",
  verbs: ["write"],
  input: moveInput,
  output: z.looseObject({ path: z.string() }),
  meaning: (settings, input) => ({
    verb: "write",
    target: targetOf(settings, input.path),
    idempotent: false,
  }),
  execute: (context, input) => session.move(context, input.path, input.to),
  emulate: (_connection, input) => ({ path: input.to }),
});

/** Files on one SFTP server. */
export const sftpConnector: Connector<SftpSettings> = {
  name: "sftp",
  title: "SFTP",
  description: "Lists, reads, writes, moves and deletes files on one SFTP server.",
  docs: "https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02",
  auth: ["password", "private_key"],
  configSchema: sftpConfig,
  operations: {
    "sftp.list": list,
    "sftp.download": download,
    "sftp.upload": upload,
    "sftp.delete": remove,
    "sftp.move": move,
  },
  factSpecs: () => [],
  secretNames: ({ auth }) =>
    "password" in auth
      ? [auth.password]
      : [auth.privateKey, ...(auth.passphrase === undefined ? [] : [auth.passphrase])],
  async test(context) {
    const { host, port, root: base } = context.connection.settings;
    const outcome = await session.list(context, "/");
    if (outcome.status === "completed") return { ok: true, message: `${host}:${port}${base} can be listed.` };
    return { ok: false, code: outcome.error.code, message: outcome.error.message };
  },
  fixtures: {
    config: {
      host: "files.example.com",
      user: "oars",
      auth: { password: "vault:files-password" },
      hostKey: `SHA256:${"A".repeat(43)}`,
      root: "/orders",
    },
    inputs: {
      "sftp.list": [
        { input: {}, shape: { verb: "read", target: "files.example.com:22/orders/", idempotent: true } },
      ],
      "sftp.download": [
        {
          input: { path: "/in/7 a.xml" },
          shape: { verb: "read", target: "files.example.com:22/orders/in/7%20a.xml" },
        },
      ],
      "sftp.upload": [
        { input: { path: "/out/7.xml", content: "<a/>" }, shape: { verb: "write", idempotent: false } },
        { input: { path: "/out/7.xml", content: "<a/>", overwrite: true }, shape: { idempotent: true } },
      ],
      "sftp.delete": [{ input: { path: "/in/7.xml" }, shape: { verb: "delete" } }],
      "sftp.move": [{ input: { path: "/in/7.xml", to: "/done/7.xml" }, shape: { verb: "write" } }],
    },
  },
};
