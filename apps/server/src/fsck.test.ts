/** What `oars-server fsck` finds, and what it rightly does not mind. */
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, listMonths, type Sql, sql, WriteSet } from "#platform/db";
import { newId, systemClock } from "#platform/kernel";
import { createVault } from "#platform/vault";
import { checkLogs, createLog, type LogFindings } from "#sign/log";
import { createReceipts, createSigners, createSigningKeys } from "#sign/receipts";
import { drivers, openTestDatabase, type TestDatabase } from "./testing/index.ts";
import { rootOf } from "./testing/rfc9162.ts";

const kek = new Uint8Array(32).fill(7);

function houseOver(db: Database) {
  const vault = createVault({ db, kek });
  const origin = "https://oars.example";
  const signers = createSigners({ db, vault, origin });
  const shared = { db, vault, origin, signers, clock: systemClock };
  const log = createLog({ ...shared, log: pino({ level: "silent" }) });
  const receipts = createReceipts(shared);
  const keys = createSigningKeys({ db, signers, receipts, logged: log.logged, graceMs: 0 });
  const add = async (tenantId: string, count: number): Promise<string[]> => {
    const set = new WriteSet();
    const ids: string[] = [];
    for (let i = 0; i < count; i++)
      ids.push((await receipts.add(set, { tenantId, type: "run.started" })).receiptId);
    await db.committer.commit(set);
    await log.sequenceNow(tenantId);
    return ids;
  };
  return { log, receipts, keys, add };
}

describe.each(drivers)("fsck on %s", (driver) => {
  let opened: TestDatabase;
  let house: ReturnType<typeof houseOver>;
  beforeAll(async () => {
    opened = await openTestDatabase(driver);
    house = houseOver(opened.database);
  });
  afterAll(() => opened?.close());

  /** As nobody but the owner of the schema can. */
  const damage = async (statement: Sql): Promise<void> => {
    if (!opened.url) return void (await opened.database.system.query(statement));
    const owner = new pg.Client({ connectionString: opened.url });
    await owner.connect();
    await owner.query(statement.text, [...statement.values]);
    await owner.end();
  };
  const find = async (tenantId: string): Promise<LogFindings | undefined> =>
    (await checkLogs({ db: opened.database })).find((log) => log.tenantId === tenantId);

  it("finds nothing in logs that grew, rotated their keys and still grow", async () => {
    const tenantId = newId();
    await house.add(tenantId, 300);
    await house.keys.rotate({ tenantId, use: "log", overlapMs: 0 });
    await house.keys.rotate({ tenantId, use: "receipt", overlapMs: 0 });
    await house.add(tenantId, 3);
    await house.keys.settle();
    await house.add(tenantId, 260);
    const [found] = await Promise.all([find(tenantId), house.add(tenantId, 5)]);
    expect(found?.difference).toBeNull();
    expect(found?.treeSize).toBeGreaterThanOrEqual(566);
    expect(found?.checkpoints).toBeGreaterThan(2);
  });

  const zero = Buffer.alloc(32);
  it.each<[string, (tenantId: string, ids: readonly string[]) => Sql[], RegExp, number | undefined]>([
    [
      "a receipt that was rewritten",
      (t, ids) => [sql`update receipt set jws = jws || 'x' where tenant_id = ${t} and id = ${ids[4]}`],
      /another one than was logged/,
      4,
    ],
    [
      "a receipt that was deleted",
      (t, ids) => [sql`delete from receipt where tenant_id = ${t} and id = ${ids[4]}`],
      /its month was not dropped/,
      4,
    ],
    [
      "a leaf that was deleted",
      (t) => [sql`delete from log_leaf where tenant_id = ${t} and leaf_index = 6`],
      /leaf 6 is missing/,
      6,
    ],
    [
      "the end cut off, receipts and all",
      (t, ids) => [
        sql`delete from log_leaf where tenant_id = ${t} and leaf_index >= 8`,
        sql`delete from receipt where tenant_id = ${t} and id >= ${ids[8]}`,
      ],
      /leaf 8 is missing; the head says 10/,
      8,
    ],
    [
      "two leaves in the other order",
      (t) => [
        sql`update log_leaf set leaf_index = 100 where tenant_id = ${t} and leaf_index = 2`,
        sql`update log_leaf set leaf_index = 2 where tenant_id = ${t} and leaf_index = 3`,
        sql`update log_leaf set leaf_index = 3 where tenant_id = ${t} and leaf_index = 100`,
      ],
      /checkpoint 10 is not of the tree/,
      9,
    ],
    [
      "a head that another history was signed for",
      (t) => [sql`update log_checkpoint set root = ${zero} where tenant_id = ${t}`],
      /checkpoint 10 is not of the tree/,
      9,
    ],
    [
      "a head with another's signature",
      (t) => [sql`update log_checkpoint set note = replace(note, '— ', '— x') where tenant_id = ${t}`],
      /is not signed by a key that the log had then/,
      9,
    ],
    [
      "a tile that was changed",
      (t) => [
        sql`update log_tile set hashes = overlay(hashes placing ${zero} from 33) where tenant_id = ${t}`,
      ],
      /tile 0\/0 does not hold/,
      0,
    ],
    [
      "a receipt that never came to the log",
      (t) => [
        sql`insert into receipt (tenant_id, id, type, jws, created_at)
          values (${t}, ${newId()}, 'run.started', 'a.b.c', now())`,
      ],
      /neither in the log nor waiting/,
      undefined,
    ],
  ])("names the place of %s", async (_, harm, message, leafIndex) => {
    const tenantId = newId();
    const ids = await house.add(tenantId, 10);
    expect((await find(tenantId))?.difference).toBeNull();
    for (const statement of harm(tenantId, ids)) await damage(statement);
    const found = await find(tenantId);
    expect(found?.difference?.message).toMatch(message);
    expect(found?.difference?.leafIndex).toBe(leafIndex);
    if (leafIndex === 4) expect(found?.difference?.receiptId).toBe(ids[4]);
  });

  it("tells receipts past their retention from missing ones", async () => {
    const tenantId = newId();
    await house.add(tenantId, 12);
    const leaves = await opened.database.system.query<{ hash: Uint8Array }>(
      sql`select leaf_hash as hash from log_leaf where tenant_id = ${tenantId} order by leaf_index`,
    );
    for (const { name } of await listMonths(opened.database, "receipt")) {
      await damage({ text: `drop table ${name}`, values: [] });
    }
    const found = await find(tenantId);
    expect(found).toMatchObject({ treeSize: 12, retired: 12, difference: null });
    expect(rootOf(leaves.map(({ hash }) => hash))).toHaveLength(32);
    await damage(
      sql`update log_leaf set leaf_hash = ${zero} where tenant_id = ${tenantId} and leaf_index = 3`,
    );
    expect((await find(tenantId))?.difference?.message).toMatch(/checkpoint 12 is not of the tree/);
  });
});
