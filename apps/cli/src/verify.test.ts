import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PlayedServer, playServer } from "../../../packages/sdk/testing/played-server.ts";
import { type Cli, createCli } from "../testing/run-cli.ts";

const vectors = new URL("../../../packages/receipts/src/vectors/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(`${name}.json`, vectors), "utf8");
const input = (name: string): string => (JSON.parse(read(name)) as { input: string }).input; // a vector's evidence

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await writeFile(join(cli.folder, "keys.json"), read("trust-acme"));
  for (const name of ["valid-bundle", "valid-tlog-proof", "invalid-tampered-payload", "invalid-unreadable"]) {
    await writeFile(join(cli.folder, name), input(name));
  }
  return cli.remove;
});

describe("verifying", () => {
  it("needs neither a server nor a key, and exits with 0 when every receipt is verified", async () => {
    const { code, out } = await cli("verify valid-bundle valid-tlog-proof --keys keys.json");
    expect(code).toBe(0);
    expect(out).toMatch(/\n12 receipts: 12 verified, 0 tampered with, 0 undecided\n$/);
    expect(out).toMatch(/^receipt +type +verdict +signature +canonical/);
  });

  it("exits with 1 for one that was tampered with, whatever the others are", async () => {
    const { code, out } = await cli(
      "verify valid-tlog-proof invalid-tampered-payload invalid-unreadable --keys keys.json",
    );
    expect(code).toBe(1);
    expect(out).toMatch(/^invalid-tampered-payload: signature/m);
    expect(out).toMatch(/1 verified, 1 tampered with, 1 undecided/);
  });

  it("exits with 2 without keys, and says where they come from", async () => {
    const { code, err, out } = await cli("verify valid-bundle");
    expect(code).toBe(2);
    expect(err).toContain("oars tenant keys");
    expect(out).toContain("valid-bundle #1 and 10 more: signature: ");
  });

  it("exits with 2 for what is no evidence", async () => {
    const { code, out } = await cli("verify - --keys keys.json", { input: '{"format":"other"}' });
    expect(code).toBe(2);
    expect(out).toContain("cannot read standard input: ");
  });

  it.each([
    ["no file", "verify valid-bundle --keys nothing.json"],
    ["no keys", "verify valid-bundle --keys other.json"],
    ["no evidence", "verify nothing --keys keys.json"],
  ])("exits with 2 when there are %s", async (_what, args) => {
    await writeFile(join(cli.folder, "other.json"), '{"format":"x"}');
    const { code, err } = await cli(args);
    expect(code).toBe(2);
    expect(err).toMatch(/^oars: /);
  });

  it("gives programs the whole reports", async () => {
    const { code, out } = await cli("verify valid-tlog-proof --keys keys.json --json");
    const found = JSON.parse(out);
    expect(code).toBe(0);
    expect(found).toMatchObject({
      exitCode: 0,
      problems: [],
      receipts: [{ place: "valid-tlog-proof", verdict: "verified" }],
    });
  });
});

describe("exporting", () => {
  let server: PlayedServer;
  const bundle = input("valid-bundle");
  const { run, tenantId } = JSON.parse(bundle) as { run: string; tenantId: string };
  beforeAll(async () => {
    server = await playServer(({ url }, reply) => {
      if (url === `/v1/runs/${run}/receipts`) reply.send(200, JSON.parse(bundle));
      else if (url === `/v1/trust/tenants/${tenantId}/keys`) reply.send(200, JSON.parse(read("trust-acme")));
      else if (url === "/v1/me") reply.send(200, { tenantId });
      else reply.problem(404, "RUN_NOT_FOUND");
    });
  });
  afterAll(() => server.close());
  const env = () => ({ OARS_URL: server.url, OARS_KEY: "k" });

  it("writes what verifies offline", async () => {
    const { code, out } = await cli(`receipts export ${run} --out run.json --keys-out trust.json`, {
      env: env(),
    });
    expect(code).toBe(0);
    expect(out).toContain("11 receipts of");
    expect(out).toContain("Try next: oars verify run.json --keys trust.json");
    expect((await cli("verify run.json --keys trust.json")).code).toBe(0);
  });

  it("writes nothing for a run that is not there", async () => {
    const { code } = await cli("receipts export run_x --out none.json --keys-out none-keys.json", {
      env: env(),
    });
    expect(code).toBe(1);
    for (const name of ["none.json", "none-keys.json"]) {
      await expect(readFile(join(cli.folder, name))).rejects.toMatchObject({ code: "ENOENT" });
    }
  });

  it("the tenant's keys go to standard output or to a file", async () => {
    const { out } = await cli("tenant keys", { env: env() });
    expect(JSON.parse(out)).toEqual(JSON.parse(read("trust-acme")));
    await cli("tenant keys --out k.json", { env: env() });
    expect(await readFile(join(cli.folder, "k.json"), "utf8")).toBe(out);
  });
});
