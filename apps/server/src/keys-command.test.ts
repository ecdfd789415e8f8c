import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { loadConfig, Secret } from "#platform/config";
import { openDatabase, WriteSet } from "#platform/db";
import { formatId, newId, systemClock } from "#platform/kernel";
import { createVault } from "#platform/vault";
import { createReceipts } from "#sign/receipts";
import { fsck } from "./fsck.ts";
import { keysCommand } from "./keys-command.ts";

it("keys and fsck work on the database of a server that is stopped", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "oars-keys-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const config = loadConfig({ OARS_DATA_DIR: dataDir });
  const kek = new Uint8Array(32).fill(8);
  const keys = {
    dataEncryption: new Secret(kek),
    jwt: new Secret("a secret of the tests, of 32 characters"),
  };
  const lines: string[] = [];
  const print = (text: string): void => void lines.push(text);
  const run = (verb: string, of: string, use?: string): Promise<number> =>
    keysCommand(config, keys, { verb, of, use }, print);

  const tenantId = newId();
  const shown = formatId("tenant", tenantId);
  await expect(run("rotate", shown, "log")).rejects.toMatchObject({ code: "TENANT_NOT_FOUND" });
  const db = await openDatabase({ store: { kind: "pglite", dataDir } });
  const receipts = createReceipts({
    db,
    vault: createVault({ db, kek }),
    origin: "http://x",
    clock: systemClock,
  });
  const set = new WriteSet();
  await receipts.add(set, { tenantId, type: "run.started" });
  await db.committer.commit(set);
  await db.close();

  expect(await run("rotate", shown, "receipt")).toBe(0);
  expect(await run("list", shown)).toBe(0);
  expect(lines.filter((line) => / receipt {2}(active|retiring)/.test(line))).toHaveLength(2);
  expect(await run("rotate", "instance", "log")).toBe(0);
  expect(await run("rotate", shown, "nonsense")).toBe(2);
  expect(await run("list", "nobody")).toBe(2);
  lines.length = 0;
  expect(await fsck(config, true, print)).toBe(0);
  const report = JSON.parse(lines.join("")) as { ok: boolean; logs: { log: string }[] };
  expect(report.ok).toBe(true);
  expect(report.logs.map(({ log }) => log).sort()).toEqual(["instance", shown].sort());
});
