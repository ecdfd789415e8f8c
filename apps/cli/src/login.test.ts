import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PlayedServer, playServer } from "../../../packages/sdk/testing/played-server.ts";
import { type Cli, createCli } from "../testing/run-cli.ts";

const me = {
  tenantId: "ten_01j9zr3c4kf8w9m2x5q7t0v1ab",
  principal: { id: "prn_01j9zr3c4kf8w9m2x5q7t0v1ab", name: "ana", kind: "user", ownerId: null },
  roles: ["operator"],
  permissions: ["runs:read"],
  credential: { kind: "api_key", id: "key_01j9zr3c4kf8w9m2x5q7t0v1ab" },
};

let server: PlayedServer;
let other: PlayedServer;
let cli: Cli;
let file: string;

const play = () =>
  playServer((asked, reply) =>
    asked.headers.authorization === "Bearer oars_good"
      ? reply.send(200, me)
      : reply.problem(401, "AUTH_KEY_INVALID"),
  );
beforeAll(async () => {
  server = await play();
  other = await play();
});
afterAll(async () => {
  await server.close();
  await other.close();
});
beforeEach(() => {
  cli = createCli();
  file = join(cli.folder, "config", "credentials.json");
  return cli.remove;
});
const login = (key = "oars_good") => cli(`login --url ${server.url} --key ${key}`);

describe("login", () => {
  it("keeps a key that the server knows where only the user can read it", async () => {
    const { code, out } = await login();
    expect(code).toBe(0);
    expect(out).toContain(`Logged in at ${server.url} as ana (user), roles operator.`);
    expect(out).not.toContain("oars_good");
    expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ url: server.url, key: "oars_good" });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(cli.folder, "config"))).mode & 0o777).toBe(0o700);
    expect((await cli("whoami")).out).toMatch(/^principal {4}ana \(user\) prn_/m);
  });

  it("keeps nothing of a key that the server refuses, and the earlier key stays", async () => {
    await login();
    const { code, err } = await login("oars_bad");
    expect(code).toBe(1);
    expect(err).toContain("AUTH_KEY_INVALID");
    expect(await readFile(file, "utf8")).toContain("oars_good");
  });

  it("takes the key from standard input, and the server of the last login", async () => {
    expect((await cli(`login --url ${server.url}`, { input: "oars_good\n" })).code).toBe(0);
    expect((await cli("login --key -", { input: "oars_good\n" })).code).toBe(0);
  });

  it.each([
    ["no key", "login --url http://127.0.0.1:1"],
    ["no server", "login --key k"],
    ["an address that is none", "login --url shop --key k"],
  ])("with %s is a mistake in usage", async (_what, args) => {
    const { code, err } = await cli(args);
    expect(code).toBe(2);
    expect(err).toMatch(/^oars: /);
  });

  it("is undone by logout", async () => {
    await login();
    expect(JSON.parse((await cli("logout --json")).out)).toEqual({ removed: true, path: file });
    expect(JSON.parse((await cli("logout --json")).out)).toEqual({ removed: false, path: file });
    expect((await cli("whoami")).code).toBe(2);
  });
});

describe("the stored key", () => {
  it("is never sent to another server that OARS_URL names", async () => {
    await login();
    const { code, err } = await cli("whoami", { env: { OARS_URL: other.url } });
    expect(code).toBe(2);
    expect(err).toContain("Set OARS_KEY");
    expect(other.asked).toEqual([]);
  });

  it("goes with OARS_URL when that is its own server, and after OARS_KEY", async () => {
    await login();
    expect((await cli("whoami", { env: { OARS_URL: `${server.url}/` } })).code).toBe(0);
    expect((await cli("whoami", { env: { OARS_KEY: "oars_bad" } })).code).toBe(1);
  });

  it("is not needed with OARS_URL and OARS_KEY", async () => {
    const env = { OARS_URL: server.url, OARS_KEY: "oars_good" };
    expect(JSON.parse((await cli("whoami --json", { env })).out)).toEqual({ url: server.url, ...me });
  });

  it("is refused in a file that others can read, or that is damaged", async () => {
    await login();
    await chmod(file, 0o644);
    expect((await cli("whoami")).err).toContain(`chmod 600 ${file}`);
    await chmod(file, 0o600);
    await writeFile(file, "{");
    const { code, err } = await cli("whoami");
    expect(code).toBe(2);
    expect(err).toContain("is damaged; log in again");
  });
});
