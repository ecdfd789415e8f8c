/** The command line against the whole server: what the played answers of the other tests stand for. */
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createClient } from "@oars/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTestApi, type TestApi } from "../../server/src/testing/api.ts";
import { type Cli, createCli, type Ended } from "../testing/run-cli.ts";

const example = new URL("../../../examples/order-to-warehouse/", import.meta.url);
const inExample = (name: string): string => new URL(name, example).pathname;

let api: TestApi;
let warehouse: Server;
let cli: Cli;

beforeAll(async () => {
  api = await startTestApi("pglite");
  warehouse = createServer((_req, res) =>
    res.writeHead(201, { "content-type": "application/json" }).end('{"shipmentId":"S-1"}'),
  );
  await new Promise<void>((listening) => warehouse.listen(0, "127.0.0.1", listening));
  cli = createCli();
  return cli.remove;
});
afterAll(async () => {
  warehouse?.close();
  await api?.close();
});

const done = async (args: string | readonly string[], input?: string): Promise<string> => {
  const ended = await cli(args, input === undefined ? {} : { input });
  expect(ended, `${args}`).toMatchObject({ code: 0, err: "" });
  return ended.out;
};
const start = (document: string): Promise<Ended> =>
  cli([
    "run",
    "start",
    "order-to-warehouse",
    "--param-file",
    `xml=${inExample(`documents/${document}`)}`,
    "--wait",
    "--json",
  ]);

it("takes an order from the first login to receipts that a stranger verifies", async () => {
  await done(`login --url ${api.base} --key ${api.app.adminKey}`);
  await done("secret set orders-hmac", "a shared secret");
  const connection = JSON.parse(await readFile(inExample("connection.json"), "utf8"));
  connection.config.baseUrl = `http://127.0.0.1:${(warehouse.address() as AddressInfo).port}`; // listening on TCP
  await writeFile(join(cli.folder, "connection.json"), JSON.stringify(connection));
  await done("connection put connection.json");
  await done(["policy", "publish", inExample("policy.cedar")]);
  await done(["flow", "publish", inExample("flow.yaml")]);

  const small = await start("01-small.xml");
  expect(small, small.out).toMatchObject({ code: 0 });
  expect(JSON.parse(small.out)).toMatchObject({ status: "completed", output: { warehouse: "WH-SF-001" } });

  const malformed = await start("04-malformed.xml");
  expect(malformed.code).toBe(1);
  expect(JSON.parse(malformed.out).error).toMatchObject({ code: "XML_MALFORMED", line: 13, column: 41 });

  const large = await start("03-large-value.xml");
  expect(large.code).toBe(2);
  const { id } = JSON.parse(large.out);
  const [approval] = JSON.parse(await done("approval list --json")).items;
  const reason = ["--reason", "checked with the customer"];
  const own = await cli(["approve", approval.id, ...reason]);
  expect(own).toMatchObject({ code: 1, err: /APPROVAL_REQUESTER/ });

  const ana = JSON.parse(await done("principal create ana --kind user --role approver --key --json"));
  const asAna = { env: { OARS_KEY: ana.apiKey.key } };
  expect(await cli(["approve", approval.id, ...reason], asAna)).toMatchObject({ code: 0 });
  expect(await done(`run watch ${id}`)).toMatch(/run\.created.*step\.waiting {5}ship.*run\.completed\n$/s);

  await done(`receipts export ${id} --out run.json --keys-out keys.json`);
  expect(await done("verify run.json --keys keys.json")).toMatch(/ 0 tampered with, 0 undecided\n$/);
  const [receipt] = JSON.parse(await done("receipts list --limit 1 --json")).items;
  expect(await done(`log inclusion ${receipt.id}`)).toContain(receipt.id);
  const { treeSize } = JSON.parse(await done("log status --json"));
  expect(await done("log status")).toMatch(/healthy +yes/);
  expect(await done(`log consistency --from 1 --to ${treeSize}`)).toMatch(/from +1/);
  expect(await done("log checkpoint")).toContain(`\n${treeSize}\n`);
  const { current, previous } = JSON.parse(await done("key rotate receipt --json"));
  expect(await done(["key", "revoke", previous, "--reason", "a copy was found"])).toMatch(/status +revoked/);
  expect(await done("key list")).toMatch(new RegExp(`${current} +receipt +active`));
  await done("logout");
}, 60_000);

it("every list of the client reads what the server answers", async () => {
  const client = createClient({ baseUrl: api.base, apiKey: api.app.adminKey });
  const runs: string[] = [];
  for await (const run of client.runs.list({ limit: 1 })) runs.push(run.status);
  expect(runs).toEqual(["completed", "failed", "completed"]);
  const lists = [
    client.webhooks,
    client.connections,
    client.secrets,
    client.flows,
    client.policies,
    client.actions,
  ];
  for (const { list } of lists) expect((await list().page()).items.length).toBeGreaterThan(0);
  const [receipt] = (await client.receipts.list({ limit: 1 }).page()).items;
  expect(await client.receipts.verify({ receiptId: receipt?.id })).toMatchObject({
    verdict: "verified",
    exitCode: 0,
  });
  expect(await client.receipts.proof(receipt?.id ?? "")).toMatch(/^c2sp\.org\/tlog-proof@v1\n/);
  const { token } = await client.me.issueToken();
  expect((await createClient({ baseUrl: api.base, token }).me.get()).principal.name).toBe("admin");
});
