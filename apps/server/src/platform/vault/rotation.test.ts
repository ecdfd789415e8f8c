import { describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { createDialer } from "#platform/net";
import { drivers, useDatabase } from "#testing";
import {
  createVault,
  firstOf,
  type KeyService,
  localKeys,
  type RotationDeps,
  rewrapKeys,
  rotateDataKeys,
  sealedSecrets,
  transitKeys,
  type Vault,
} from "./index.ts";
import { transitPeer } from "./testing-transit.ts";

const keyOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const [old, fresh] = [keyOf(1), keyOf(2)];

describe.each(drivers)("rotation of keys on %s", (driver) => {
  const db = useDatabase(driver);
  const ringMs = 40;
  const vaultOf = (keys: KeyService): Vault => createVault({ db: db(), keys, ringMs });
  const put = (vault: Vault, tenantId: string, name: string, value: string) =>
    db().tx(tenantId, (tx) => vault.putSecret(tx, tenantId, name, value));
  const depsOf = (keys: KeyService, more: Partial<RotationDeps> = {}): RotationDeps => ({
    db: db(),
    keys,
    tables: [sealedSecrets],
    reseal: vaultOf(keys).reseal,
    ringMs,
    report: () => {},
    ...more,
  });
  const keyNumbers = (tenantId: string) =>
    db().system.query<{ name: string; number: number }>(sql`
      select name, get_byte(sealed, 4) as number from secret where tenant_id = ${tenantId} order by name`);

  it("wraps data keys anew while a process with the old key first and one with the new key first go on", async () => {
    const tenantId = newId();
    const [before, after] = [vaultOf(localKeys(old, [fresh])), vaultOf(localKeys(fresh, [old]))];
    await put(before, tenantId, "a", "one");
    await rewrapKeys(depsOf(localKeys(fresh, [old])));
    expect(await after.readSecret(tenantId, "a")).toBe("one");
    expect(await vaultOf(localKeys(old, [fresh])).readSecret(tenantId, "a")).toBe("one");
    expect(await vaultOf(localKeys(fresh)).readSecret(tenantId, "a")).toBe("one");
    await put(before, tenantId, "b", "two");
    expect(await vaultOf(localKeys(fresh)).readSecret(tenantId, "b")).toBe("two");
    await expect(vaultOf(localKeys(old)).readSecret(tenantId, "a")).rejects.toMatchObject({
      code: "SECRET_UNREADABLE",
    });
    await expect(vaultOf(localKeys(old)).check()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await db().system.query(sql`delete from data_key where tenant_id = ${tenantId}`);
  });

  it("[Z1] [Z3] [Z4] a rotation that was cut off goes on, makes one new key, and leaves nothing under the old one", async () => {
    const keys = localKeys(old);
    const tenantId = newId();
    const running = vaultOf(keys);
    for (let i = 0; i < 3; i++) await put(running, tenantId, `s${i}`, `value ${i}`);
    const cut = depsOf(keys, {
      fault: (point) => {
        if (point === "vault.after-key") throw new Error("the power went");
      },
    });
    await expect(rotateDataKeys(cut)).rejects.toThrow("the power went");
    const writer = (async () => {
      for (let i = 0; i < 20; i++) {
        await put(running, tenantId, `w${i}`, `written ${i}`);
        expect(await running.readSecret(tenantId, "s0")).toBe("value 0");
        await new Promise((resume) => setTimeout(resume, 5));
      }
    })();
    const done = await rotateDataKeys(depsOf(keys));
    await writer;
    expect(done.resumed).toBe(true);
    const again = await rotateDataKeys(depsOf(keys)); // what was written meanwhile under the key of then
    expect(again.resumed).toBe(false);
    const rows = await keyNumbers(tenantId);
    expect(rows).toHaveLength(23);
    expect(new Set(rows.map(({ number }) => number))).toEqual(new Set([3]));
    expect(await vaultOf(keys).readSecret(tenantId, "w7")).toBe("written 7");
    const [open] = await db().system.query(sql`select 1 from vault_rotation where completed_at is null`);
    expect(open).toBeUndefined();
  });

  it("[Z2] a new data key seals only when it is time", async () => {
    const keys = localKeys(old);
    const tenantId = newId();
    const vault = createVault({ db: db(), keys, ringMs: 3_600_000 });
    await put(vault, tenantId, "a", "one");
    const wrapped = await keys.wrap(tenantId, 2, keyOf(9));
    await db().system.query(sql`insert into data_key (tenant_id, number, kek_id, wrapped, active_at)
      values (${tenantId}, 2, ${wrapped.kekId}, ${wrapped.wrapped}, now() + interval '1 h')`);
    const other = vaultOf(keys);
    await put(other, tenantId, "b", "two");
    expect((await keyNumbers(tenantId)).map(({ number }) => number)).toEqual([1, 1]);
    await db().system.query(sql`update data_key set active_at = now() where tenant_id = ${tenantId}`);
    await put(vaultOf(keys), tenantId, "c", "three");
    expect((await keyNumbers(tenantId)).map(({ number }) => number)).toEqual([1, 1, 2]);
    expect(await vault.readSecret(tenantId, "c")).toBe("three"); // the process that knew only the old one
  });
});

describe("a key service", () => {
  const db = useDatabase("pglite");
  const dialer = () =>
    createDialer({ allow: ["127.0.0.1"], maxResponseBytes: 100_000, connectTimeoutMs: 2_000 });
  const role = { roleId: "role", secretId: "role-secret" };

  it("wraps and unwraps data keys; its new versions take over by rewrapping, and its logins are renewed", async () => {
    await using peer = await transitPeer();
    await using out = dialer();
    const keys = transitKeys({ dialer: out, url: peer.url, key: "oars", auth: role });
    const tenantId = newId();
    const vault = createVault({ db: db(), keys });
    await db().tx(tenantId, (tx) => vault.putSecret(tx, tenantId, "a", "one"));
    peer.revoke();
    peer.rotate();
    const report = { db: db(), keys, tables: [], reseal: vault.reseal, ringMs: 40, report: () => {} };
    expect(await rewrapKeys(report)).toMatchObject({ rewrapped: 1 });
    expect(await rewrapKeys(report)).toMatchObject({ rewrapped: 0 });
    const [row] = await db().system.query<{ id: string }>(
      sql`select kek_id as id from data_key where tenant_id = ${tenantId}`,
    );
    expect(row?.id).toBe("transit/transit/oars/v2");
    expect(await createVault({ db: db(), keys }).readSecret(tenantId, "a")).toBe("one");
    const foreign = transitKeys({ dialer: out, url: peer.url, key: "oars", auth: { token: "wrong" } });
    await expect(createVault({ db: db(), keys: foreign }).readSecret(tenantId, "a")).rejects.toMatchObject({
      code: "KMS_UNAVAILABLE",
    });
    await db().system.query(sql`delete from data_key`);
  });

  it("that is out stops no tenant whose keys are in memory, and says so to the others", async () => {
    await using peer = await transitPeer();
    await using out = dialer();
    const keys = transitKeys({ dialer: out, url: peer.url, key: "oars", auth: { token: "root" } });
    const failures: unknown[] = [];
    const vault = createVault({ db: db(), keys, ringMs: 1, onError: (error) => failures.push(error) });
    const [known, unknown] = [newId(), newId()];
    await db().tx(known, (tx) => vault.putSecret(tx, known, "a", "one"));
    peer.outage = true;
    for (let i = 0; i < 3; i++) {
      const sealed = await vault.seal(known, "p", Buffer.from("goes on"));
      expect(Buffer.from(await vault.open(known, "p", sealed)).toString()).toBe("goes on");
      await new Promise((resume) => setTimeout(resume, 5));
    }
    await expect(vault.seal(unknown, "p", Buffer.from("x"))).rejects.toMatchObject({
      code: "KMS_UNAVAILABLE",
      message: expect.stringContaining("503"),
    });
    peer.outage = false;
    await vault.seal(unknown, "p", Buffer.from("x"));
    await db().system.query(sql`delete from data_key`);
  });

  it("takes over from the key of the process, and neither opens a row that was moved to another tenant", async () => {
    await using peer = await transitPeer();
    await using out = dialer();
    const keys = firstOf(
      transitKeys({ dialer: out, url: peer.url, key: "oars", auth: { token: "root" } }),
      localKeys(old),
    );
    const [mine, theirs] = [newId(), newId()];
    for (const service of [localKeys(old), keys]) {
      const vault = createVault({ db: db(), keys: service });
      await db().tx(mine, (tx) => vault.putSecret(tx, mine, "a", "one"));
      await db().system.query(sql`insert into data_key (tenant_id, number, kek_id, wrapped)
        select ${theirs}, number, kek_id, wrapped from data_key where tenant_id = ${mine}`);
      await expect(createVault({ db: db(), keys }).seal(theirs, "p", Buffer.from("x"))).rejects.toMatchObject(
        { code: "SECRET_UNREADABLE" },
      );
      await db().system.query(sql`delete from data_key where tenant_id = ${theirs}`);
      await rewrapKeys({ db: db(), keys, tables: [], reseal: vault.reseal, ringMs: 1, report: () => {} });
      expect(await createVault({ db: db(), keys }).readSecret(mine, "a")).toBe("one");
    }
  });
});
