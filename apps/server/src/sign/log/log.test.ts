import { createVerifier, parseCheckpoint, parseTlogProof, sha256, verifyConsistency } from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyWrites, type Database, defineWrite, type Sql, sql, WriteSet } from "#platform/db";
import { formatId, newId, systemClock } from "#platform/kernel";
import { createVault } from "#platform/vault";
import { createReceipts, createSigners, type Receipts } from "#sign/receipts";
import { drivers, openTestDatabase, type TestDatabase } from "#testing";
import { checkLogs, createLog, type Log } from "./index.ts";
import { createSequencer, mostPerHead } from "./sequencer.ts";

const origin = "https://oars.example";
const kek = new Uint8Array(32).fill(9);
const crypto = createNodeCrypto();

interface House {
  readonly receipts: Receipts;
  readonly log: Log;
  readonly lines: string[];
  /** Numbers of refused logs, as they were told. */
  readonly refused: number[];
  /** Logs that do not agree, as they were told. */
  readonly told: string[];
}

/** What one process has: its own caches, keys read from the database. */
function houseOver(db: Database): House {
  const lines: string[] = [];
  const vault = createVault({ db, kek });
  const write = { write: (line: string): void => void lines.push(line) };
  const refused: number[] = [];
  const told: string[] = [];
  const log = createLog({
    db,
    vault,
    origin,
    clock: systemClock,
    log: pino({}, write),
    onRefused: (logs) => refused.push(logs),
    onInconsistent: (tenantId, reason) => told.push(`${tenantId} ${reason}`),
  });
  const receipts = createReceipts({ db, vault, origin, clock: systemClock, onAdded: log.wake });
  return { receipts, log, lines, refused, told };
}

async function addMany(
  db: Database,
  receipts: Receipts,
  tenantId: string,
  count: number,
  runId?: string,
): Promise<string[]> {
  const set = new WriteSet();
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const draft = {
      tenantId,
      type: "run.started",
      runId: runId ?? null,
      disclose: { note: `n${i}` },
    } as const;
    ids.push((await receipts.add(set, draft)).receiptId);
  }
  expect(await db.committer.commit(set)).toEqual({ ok: true });
  return ids;
}

const leavesOf = (db: Database, tenantId: string): Promise<{ index: number; id: string }[]> =>
  db.system.query(sql`select leaf_index as index, receipt_id as id from log_leaf
    where tenant_id = ${tenantId} order by leaf_index`);

describe.each(drivers)("log on %s", (driver) => {
  let opened: TestDatabase | undefined;
  beforeAll(async () => {
    opened = await openTestDatabase(driver);
  });
  afterAll(async () => {
    await opened?.close();
  });
  const db = (): Database => {
    if (!opened) throw new Error("the database opens in beforeAll");
    return opened.database;
  };
  /** Changes rows as nobody but the owner of the schema can. */
  const damage = async (tenantId: string, harm: Harm): Promise<void> => {
    if (!opened?.url) return void (await db().system.query(harms(tenantId)[harm]));
    const owner = new pg.Client({ connectionString: opened.url });
    await owner.connect();
    const { text, values } = harms(tenantId)[harm];
    await owner.query(text, [...values]);
    await owner.end();
  };

  it("proves every receipt of a run, offline, against one checkpoint", async () => {
    const { receipts, log } = houseOver(db());
    const [tenantId, runId] = [newId(), newId()];
    await addMany(db(), receipts, tenantId, 3);
    const ids = await addMany(db(), receipts, tenantId, 20, runId);
    const bundle = await log.exportRun(tenantId, runId, { disclose: true });
    expect(bundle).toMatchObject({ format: "oars-receipt-bundle@1", run: formatId("run", runId) });
    expect(bundle.items.map((item) => item.receiptId)).toEqual(ids.map((id) => formatId("receipt", id)));
    const verifier = createVerifier([await receipts.trust(tenantId)], crypto);
    for (const [i, { proof, receiptId }] of bundle.items.entries()) {
      const report = await verifier.verify(proof, { receiptId });
      expect(report.verdict, JSON.stringify(report.checks)).toBe("verified");
      expect(report.checks.inclusion.status).toBe("ok");
      expect(report.disclosed).toEqual({ note: `n${i}` });
      expect(report.leafIndex).toBe(i + 3);
    }
    const hidden = await log.exportRun(tenantId, runId);
    expect((await verifier.verify(hidden.items[0]?.proof ?? "")).disclosed).toEqual({});
  });

  it("[L1][L3] gives gapless places to receipts that four sequencers take at once", async () => {
    const tenantId = newId();
    const { receipts } = houseOver(db());
    const ids = await addMany(db(), receipts, tenantId, 300);
    const signers = createSigners({ db: db(), vault: createVault({ db: db(), kek }), origin });
    const four = Array.from({ length: 4 }, () => createSequencer({ db: db(), signers }));
    const adding = addMany(db(), receipts, tenantId, 300).then((more) => ids.push(...more));
    for (let waiting = true; waiting; ) {
      const results = await Promise.all(four.map((one) => one.sequence(tenantId)));
      expect(results.filter(({ state }) => state === "refused")).toEqual([]);
      waiting = results.some(({ state }) => state !== "empty") || ids.length < 600;
      await new Promise(setImmediate); // the embedded database never leaves the microtask queue
    }
    await adding;
    const leaves = await leavesOf(db(), tenantId);
    expect(leaves.map(({ index }) => index)).toEqual(ids.map((_, i) => i));
    expect(new Set(leaves.map(({ id }) => id))).toEqual(new Set(ids));
  });

  it("[L5] extends the same log after a restart, with consistent heads", async () => {
    const tenantId = newId();
    const first = houseOver(db());
    await addMany(db(), first.receipts, tenantId, 5);
    await first.log.sequenceNow(tenantId);
    const before = parseCheckpoint(await first.log.checkpoint(tenantId));
    const second = houseOver(db());
    await addMany(db(), second.receipts, tenantId, 300);
    await second.log.sequenceNow(tenantId);
    const after = parseCheckpoint(await second.log.checkpoint(tenantId));
    expect([before.size, after.size]).toEqual([5, 305]);
    expect(after.origin).toBe(before.origin);
    const { from, to, hashes } = await second.log.consistency(tenantId, 5);
    const claim = { from, to, oldRoot: before.root, newRoot: after.root, proof: hashes };
    expect(verifyConsistency(claim, sha256)).toBe(true);
    expect((await second.receipts.keys(tenantId)).map(({ keyId }) => keyId)).toEqual(
      (await first.receipts.keys(tenantId)).map(({ keyId }) => keyId),
    );
  });

  it("serves tiles as wide as the newest checkpoint reaches and no wider", async () => {
    const tenantId = newId();
    const { receipts, log } = houseOver(db());
    await addMany(db(), receipts, tenantId, 260);
    await log.sequenceNow(tenantId);
    const bytes = async (path: string) => (await log.file(tenantId, path))?.body.length;
    expect(await bytes("tile/0/000")).toBe(8192);
    expect(await bytes("tile/0/001.p/4")).toBe(128);
    expect(await bytes("tile/1/000.p/1")).toBe(32);
    expect(await bytes("tile/entries/000")).toBe(256 * 35);
    expect(await bytes("tile/entries/001.p/4")).toBe(4 * 35);
    for (const path of [
      "tile/0/001.p/5",
      "tile/0/001",
      "tile/0/002.p/1",
      "tile/0/0",
      "tile/entries/002",
      "../x",
    ])
      expect(await bytes(path), path).toBeUndefined();
  });

  it("takes more receipts than one head may add in several heads", async () => {
    const tenantId = newId();
    const { receipts, log } = houseOver(db());
    const [last] = (await addMany(db(), receipts, tenantId, mostPerHead + 10)).slice(-1);
    await log.sequenceNow(tenantId);
    const heads = await db().system.query<{ size: number }>(
      sql`select size from log_checkpoint where tenant_id = ${tenantId} order by size`,
    );
    expect(heads.map(({ size }) => size)).toEqual([mostPerHead, mostPerHead + 10]);
    const report = await receipts.verify(tenantId, await log.tlogProof(tenantId, last ?? ""));
    expect(report.verdict).toBe("verified");
  });

  it("finds a flipped byte of a stored receipt", async () => {
    const tenantId = newId();
    const { receipts, log } = houseOver(db());
    const [id = ""] = await addMany(db(), receipts, tenantId, 3);
    await log.sequenceNow(tenantId);
    const good = await log.tlogProof(tenantId, id);
    const { extra = "", ...rest } = parseTlogProof(good);
    const at = extra.indexOf(".") + 40;
    const bad = extra.slice(0, at) + (extra[at] === "A" ? "B" : "A") + extra.slice(at + 1);
    const report = await receipts.verify(tenantId, good.replace(toB64(extra), toB64(bad)));
    expect(rest.index).toBe(0);
    expect(report.exitCode).toBe(1);
    expect(report.checks.signature.status).toBe("failed");
    expect(report.checks.inclusion.status).toBe("failed");
  });

  it("refuses a second tenant's keys for a receipt of the first", async () => {
    const [one, two] = [newId(), newId()];
    const { receipts, log } = houseOver(db());
    const [id = ""] = await addMany(db(), receipts, one, 1);
    await addMany(db(), receipts, two, 1);
    await log.sequenceNow(one);
    const proof = await log.tlogProof(one, id);
    expect((await receipts.verify(one, proof)).verdict).toBe("verified");
    expect((await receipts.verify(two, proof)).verdict).toBe("undecidable");
    await expect(log.tlogProof(two, id)).rejects.toMatchObject({ code: "RECEIPT_NOT_FOUND" });
  });

  it.each<[string, Harm]>([
    ["a head that another history was signed for", "root"],
    ["a leaf that was exchanged", "leaf"],
    ["a tile that was changed", "tile"],
    ["a leaf that is gone", "gone"],
  ])("[L4] refuses to sign on top of %s, and says so", async (_, harm) => {
    const tenantId = newId();
    const first = houseOver(db());
    await addMany(db(), first.receipts, tenantId, 10);
    await first.log.sequenceNow(tenantId);
    await damage(tenantId, harm);
    const restarted = houseOver(db());
    await addMany(db(), restarted.receipts, tenantId, 1);
    await expect(restarted.log.sequenceNow(tenantId)).rejects.toThrow(/the log cannot be signed/);
    restarted.log.wake(tenantId);
    await restarted.log.stop();
    expect(restarted.lines.join("")).toContain("no head is signed");
    expect(restarted.refused).toEqual([1]);
    expect(restarted.told.map((text) => text.split(" ")[0])).toEqual([tenantId]);
    const [head] = await db().system.query(
      sql`select max(size) as size from log_checkpoint where tenant_id = ${tenantId}`,
    );
    expect(head).toEqual({ size: 10 });
  });

  it("[L4] refuses in the process that has been sequencing all along, too", async () => {
    const tenantId = newId();
    const { receipts, log } = houseOver(db());
    await addMany(db(), receipts, tenantId, 10);
    await log.sequenceNow(tenantId);
    await damage(tenantId, "tile");
    await addMany(db(), receipts, tenantId, 1);
    await expect(log.sequenceNow(tenantId)).rejects.toThrow(/the log cannot be signed/);
  });

  it("[L2] leaves no half of a batch behind when one of its receipts is in the log already", async () => {
    const tenantId = newId();
    const { receipts, log } = houseOver(db());
    const [id = ""] = await addMany(db(), receipts, tenantId, 2);
    await log.sequenceNow(tenantId);
    const again = defineWrite<{ tenant_id: string; receipt_id: string; leaf_hash: Uint8Array }>({
      name: "test.pending",
      order: 1,
      columns: { tenant_id: "uuid", receipt_id: "uuid", leaf_hash: "bytea" },
      text: "insert into receipt_pending (tenant_id, receipt_id, leaf_hash) select b.tenant_id, b.receipt_id, b.leaf_hash from batch b",
    });
    const row = { tenant_id: tenantId, receipt_id: id, leaf_hash: new Uint8Array(32) };
    await db().tx(tenantId, (tx) => applyWrites(tx, new WriteSet().add(again, row)));
    await addMany(db(), receipts, tenantId, 3);
    await expect(log.sequenceNow(tenantId)).rejects.toThrow();
    expect(await leavesOf(db(), tenantId)).toHaveLength(2);
    expect(parseCheckpoint(await log.checkpoint(tenantId)).size).toBe(2);
  });

  it("[L1][L2] stands whole after a death before any statement of its work, whoever goes on", async () => {
    const tenantId = newId();
    const { receipts, log } = houseOver(db());
    await addMany(db(), receipts, tenantId, 300);
    await log.sequenceNow(tenantId);
    const signers = createSigners({ db: db(), vault: createVault({ db: db(), kek }), origin });
    let deaths = 0;
    for (let at = 1; ; at++) {
      const ids = await addMany(db(), receipts, tenantId, 3);
      const dying = createSequencer({ db: dyingAt(db(), at), signers });
      const ended = await dying.sequence(tenantId).catch((error: Error) => error.message);
      if (ended !== "died") break;
      deaths += 1;
      expect(await leavesOf(db(), tenantId)).toHaveLength(300 + (deaths - 1) * 3);
      await houseOver(db()).log.sequenceNow(tenantId);
      const leaves = await leavesOf(db(), tenantId);
      expect(leaves.map(({ index }) => index)).toEqual(leaves.map((_, i) => i));
      expect(leaves.slice(-3).map(({ id }) => id)).toEqual(ids);
    }
    expect(deaths).toBeGreaterThan(6);
    const found = (await checkLogs({ db: db() })).find((one) => one.tenantId === tenantId);
    expect(found?.difference).toBeNull();
  });

  it("sequences on its own soon after receipts are durable, also those of other processes", async () => {
    const tenantId = newId();
    const here = houseOver(db());
    const elsewhere = houseOver(db());
    here.log.start();
    await addMany(db(), here.receipts, tenantId, 1);
    await reach(async () => (await leavesOf(db(), tenantId)).length === 1);
    await addMany(db(), elsewhere.receipts, tenantId, 1);
    await reach(async () => (await leavesOf(db(), tenantId)).length === 2);
    await addMany(db(), here.receipts, tenantId, 1);
    await here.log.stop();
    expect(await leavesOf(db(), tenantId)).toHaveLength(3);
    expect(here.lines.filter((line) => line.includes(formatId("tenant", tenantId)))).toEqual([]);
  });

  it("says what is not in the log yet and what does not exist", async () => {
    const tenantId = newId();
    const { receipts, log } = houseOver(db());
    await expect(log.checkpoint(tenantId)).rejects.toMatchObject({ code: "RECEIPT_NOT_LOGGED" });
    const [id = ""] = await addMany(db(), receipts, tenantId, 1);
    await expect(log.proof(tenantId, id)).rejects.toMatchObject({ code: "RECEIPT_NOT_LOGGED" });
    await expect(log.proof(tenantId, newId())).rejects.toMatchObject({ code: "RECEIPT_NOT_FOUND" });
    expect((await log.exportRun(tenantId, newId())).items).toEqual([]);
    expect(await log.proof(tenantId, id)).toEqual({ index: 0, size: 1, hashes: [] });
  });
});

/** The database of a process that dies before the n-th statement of its transactions. */
function dyingAt(db: Database, n: number): Database {
  let left = n;
  return {
    ...db,
    system: {
      ...db.system,
      tx: (fn) =>
        db.system.tx((tx) =>
          fn({
            ...tx,
            query: (statement) => {
              left -= 1;
              if (left === 0) throw new Error("died");
              return tx.query(statement);
            },
          }),
        ),
    },
  };
}

const toB64 = (text: string): string => Buffer.from(text).toString("base64");

type Harm = "root" | "leaf" | "tile" | "gone";
const zero = Buffer.alloc(32);
const harms = (tenantId: string): Record<Harm, Sql> => ({
  root: sql`update log_checkpoint set root = ${zero} where tenant_id = ${tenantId}`,
  leaf: sql`update log_leaf set leaf_hash = ${zero} where tenant_id = ${tenantId} and leaf_index = 4`,
  tile: sql`update log_tile set hashes = overlay(hashes placing ${zero} from 33) where tenant_id = ${tenantId}`,
  gone: sql`delete from log_leaf where tenant_id = ${tenantId} and leaf_index = 9`,
});

async function reach(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("the condition was not reached within 10 s");
    await new Promise((done) => setTimeout(done, 20));
  }
}
