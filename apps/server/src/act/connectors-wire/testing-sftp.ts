/** For this room's tests: a real SSH server whose SFTP subsystem serves a folder. */
import { createHash, generateKeyPairSync } from "node:crypto";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type Attributes, type SFTPWrapper } from "ssh2";

const { OPEN_MODE, STATUS_CODE } = ssh2.utils.sftp;

export interface Files extends AsyncDisposable {
  readonly port: number;
  /** `SHA256:…` of its key. */
  readonly hostKey: string;
  /** The folder that it serves as `/`. */
  readonly folder: string;
  /** Public keys in PEM that may sign in as `oars`, besides the password. */
  readonly logins: () => number;
}

const attributesOf = (s: Stats): Attributes => ({
  mode: s.mode,
  uid: s.uid,
  gid: s.gid,
  size: s.size,
  atime: Math.floor(s.atimeMs / 1_000),
  mtime: Math.floor(s.mtimeMs / 1_000),
});

/** `dropOn`: the connection breaks when a request of that kind comes. */
export async function filesServer(dropOn: "RENAME" | "REMOVE" | "" = ""): Promise<Files> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "oars-sftp-")));
  const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
    type: "pkcs1",
    format: "pem",
  });
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error) throw parsed;
  const hostKey = `SHA256:${createHash("sha256").update(parsed.getPublicSSH()).digest("base64").replace(/=+$/, "")}`;
  const clients = new Set<ssh2.Connection>();
  let logins = 0;
  const server = new ssh2.Server({ hostKeys: [key] }, (client) => {
    clients.add(client);
    client.on("error", () => undefined);
    client.on("close", () => clients.delete(client));
    client.on("authentication", (auth) => {
      const right = auth.method === "password" && auth.username === "oars" && auth.password === "s3cret-pass";
      if (right) auth.accept();
      else auth.reject(["password"]);
    });
    client.on("ready", () => {
      logins += 1;
      client.on("session", (accept) => {
        accept().on("sftp", (acceptSftp) => serve(acceptSftp(), folder, dropOn, () => client.end()));
      });
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", () => ready()));
  return {
    port: (server.address() as AddressInfo).port, // a listening TCP server has a port
    hostKey,
    folder,
    logins: () => logins,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.end();
      await new Promise<void>((done) => server.close(() => done()));
      rmSync(folder, { recursive: true });
    },
  };
}

function serve(sftp: SFTPWrapper, folder: string, dropOn: string, drop: () => void): void {
  const handles = new Map<number, { fd?: number; names?: string[] }>();
  let count = 0;
  const real = (path: string): string => join(folder, path);
  const shown = (path: string): string => path.slice(folder.length) || "/";
  const handleOf = (value: { fd?: number; names?: string[] }): Buffer => {
    count += 1;
    handles.set(count, value);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(count);
    return bytes;
  };
  const held = (handle: Buffer) => handles.get(handle.readUInt32BE(0)) ?? {};
  const codes: Record<string, number> = {
    ENOENT: STATUS_CODE.NO_SUCH_FILE,
    EACCES: STATUS_CODE.PERMISSION_DENIED,
  };
  const answer = (id: number, work: () => void): void => {
    try {
      work();
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      sftp.status(id, codes[code] ?? STATUS_CODE.FAILURE);
    }
  };
  const done = (id: number, work: () => void): void =>
    answer(id, () => {
      work();
      sftp.status(id, STATUS_CODE.OK);
    });
  sftp.on("REALPATH", (id, path) =>
    answer(id, () => {
      const name = shown(realpathSync(real(path)));
      sftp.name(id, [{ filename: name, longname: name, attrs: attributesOf(statSync(real(path))) }]);
    }),
  );
  sftp.on("STAT", (id, path) => answer(id, () => sftp.attrs(id, attributesOf(statSync(real(path))))));
  sftp.on("LSTAT", (id, path) => answer(id, () => sftp.attrs(id, attributesOf(lstatSync(real(path))))));
  sftp.on("FSTAT", (id, handle) =>
    answer(id, () =>
      sftp.attrs(id, { ...attributesOf(statSync(folder)), size: 0, fd: held(handle).fd } as Attributes),
    ),
  );
  sftp.on("OPENDIR", (id, path) =>
    answer(id, () => sftp.handle(id, handleOf({ names: readdirSync(real(path)).map((n) => join(path, n)) }))),
  );
  sftp.on("READDIR", (id, handle) =>
    answer(id, () => {
      const names = held(handle).names?.splice(0) ?? [];
      if (names.length === 0) return sftp.status(id, STATUS_CODE.EOF);
      sftp.name(
        id,
        names.map((path) => {
          const stats = lstatSync(real(path));
          const type = stats.isDirectory() ? "d" : stats.isSymbolicLink() ? "l" : "-";
          const filename = path.slice(path.lastIndexOf("/") + 1);
          return {
            filename,
            longname: `${type}rw-r--r-- 1 o o 1 Jan 1 00:00 ${filename}`,
            attrs: attributesOf(stats),
          };
        }),
      );
    }),
  );
  sftp.on("OPEN", (id, path, flags) =>
    answer(id, () => {
      const mode = flags & OPEN_MODE.WRITE ? "w" : "r";
      sftp.handle(id, handleOf({ fd: openSync(real(path), mode) }));
    }),
  );
  sftp.on("READ", (id, handle, offset, length) =>
    answer(id, () => {
      const bytes = Buffer.alloc(length);
      const read = readSync(held(handle).fd ?? -1, bytes, 0, length, offset);
      if (read === 0) sftp.status(id, STATUS_CODE.EOF);
      else sftp.data(id, bytes.subarray(0, read));
    }),
  );
  sftp.on("WRITE", (id, handle, offset, data) =>
    done(id, () => writeSync(held(handle).fd ?? -1, data, 0, data.length, offset)),
  );
  sftp.on("CLOSE", (id, handle) =>
    done(id, () => {
      const { fd } = held(handle);
      if (fd !== undefined) closeSync(fd);
    }),
  );
  sftp.on("REMOVE", (id, path) => (dropOn === "REMOVE" ? drop() : done(id, () => unlinkSync(real(path)))));
  sftp.on("RENAME", (id, from, to) => {
    if (dropOn === "RENAME") return drop();
    return answer(id, () => {
      if (existsSync(real(to))) return sftp.status(id, STATUS_CODE.FAILURE);
      renameSync(real(from), real(to));
      sftp.status(id, STATUS_CODE.OK);
    });
  });
  sftp.on("EXTENDED", (id, name, data) => {
    if (name !== "posix-rename@openssh.com") return sftp.status(id, STATUS_CODE.OP_UNSUPPORTED);
    const length = data.readUInt32BE(0);
    const from = data.subarray(4, 4 + length).toString();
    const to = data.subarray(8 + length).toString();
    return done(id, () => renameSync(real(from), real(to)));
  });
}
