/** How signing keys begin, follow each other and end, as a stranger with a verifier sees it. */
import { createPublicKey, verify } from "node:crypto";
import { createVerifier, parseCheckpoint, parseVkey, type TrustDocument } from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, sql, WriteSet } from "#platform/db";
import { newId, sha256, systemClock } from "#platform/kernel";
import { createDialer } from "#platform/net";
import { createVault } from "#platform/vault";
import { createLog } from "#sign/log";
import {
  createReceipts,
  createSigners,
  createSigningKeys,
  createTransitKeys,
  type KeyHolder,
  softwareKeys,
} from "#sign/receipts";
import { drivers, openTestDatabase, type TestDatabase } from "./testing/index.ts";
import { startTransitPeer } from "./testing/transit-peer.ts";
import { until } from "./testing/until.ts";

const kek = new Uint8Array(32).fill(5);
const crypto = createNodeCrypto();

/** What one process has. `graceMs` 0: others have heard at once. */
function processOver(db: Database, holders?: readonly [KeyHolder, ...KeyHolder[]]) {
  const vault = createVault({ db, kek });
  const origin = "https://oars.example";
  const signers = createSigners({ db, vault, origin, ...(holders ? { holders } : {}) });
  const shared = { db, vault, origin, signers, clock: systemClock };
  const log = createLog({ ...shared, log: pino({ level: "silent" }) });
  const receipts = createReceipts(shared);
  const keys = createSigningKeys({ db, signers, receipts, logged: log.logged, graceMs: 0 });
  const add = async (tenantId: string): Promise<string> => {
    const set = new WriteSet();
    const { receiptId } = await receipts.add(set, { tenantId, type: "run.started" });
    expect(await db.committer.commit(set)).toEqual({ ok: true });
    return receiptId;
  };
  const prove = async (tenantId: string, receiptId: string): Promise<string> => {
    await log.sequenceNow(tenantId);
    return log.tlogProof(tenantId, receiptId);
  };
  return { signers, log, receipts, keys, add, prove };
}
type Process = ReturnType<typeof processOver>;

const checkOf = async (trust: TrustDocument, text: string) => {
  const report = await createVerifier([trust], crypto).verify(text);
  return {
    verdict: report.verdict,
    signature: report.checks.signature,
    keyId: report.keyId,
    body: report.body,
  };
};

describe.each(drivers)("signing keys on %s", (driver) => {
  let opened: TestDatabase;
  let here: Process;
  beforeAll(async () => {
    opened = await openTestDatabase(driver);
    here = processOver(opened.database);
  });
  afterAll(() => opened?.close());
  const statuses = async (tenantId: string, use: string): Promise<string[]> =>
    (await here.receipts.keys(tenantId)).filter((key) => key.use === use).map(({ status }) => status);

  it("[K1] two processes that make keys at the same time use the same ones", async () => {
    const tenantId = newId();
    const many = Array.from({ length: 4 }, () => processOver(opened.database));
    const ids = await Promise.all(many.map((one) => one.add(tenantId)));
    expect((await here.receipts.keys(tenantId)).map(({ use }) => use).sort()).toEqual(["log", "receipt"]);
    const again = processOver(opened.database);
    for (const id of ids)
      expect((await again.receipts.verify(tenantId, await again.prove(tenantId, id))).verdict).toBe(
        "verified",
      );
  });

  it("[K1] two processes that rotate at the same time leave one active key, and none is lost", async () => {
    const tenantId = newId();
    await here.add(tenantId);
    const two = [processOver(opened.database), processOver(opened.database)];
    const change = { tenantId, use: "receipt", overlapMs: 60_000 } as const;
    const rotated = await Promise.all(two.map((one) => one.keys.rotate(change)));
    expect((await statuses(tenantId, "receipt")).sort()).toEqual(["active", "retiring", "retiring"]);
    expect(new Set(rotated.map(({ previous }) => previous)).size).toBe(2);
    const after = processOver(opened.database);
    for (const one of [...two, after]) {
      const proof = await one.prove(tenantId, await one.add(tenantId));
      expect((await checkOf(await after.receipts.trust(tenantId), proof)).verdict).toBe("verified");
    }
  });

  it("[K2] a process that hears of a rotation signs with the new key", async () => {
    const tenantId = newId();
    const other = processOver(opened.database);
    await other.signers.start();
    await other.add(tenantId);
    const { current } = await here.keys.rotate({ tenantId, use: "receipt", overlapMs: 60_000 });
    await until("the hint", async () => (await other.signers.get(tenantId)).receipt.kid === current);
    await other.signers.stop();
  });

  it("[K3] a rotation of the receipt key is signed by the old and by the new key", async () => {
    const tenantId = newId();
    const before = await here.add(tenantId);
    const { current, previous } = await here.keys.rotate({ tenantId, use: "receipt", overlapMs: 60_000 });
    const after = await here.add(tenantId);
    const told = (await here.receipts.list(tenantId, { type: "key.rotated" }, { limit: 10, order: "oldest" }))
      .items;
    expect(told).toHaveLength(2);
    const trust = await here.receipts.trust(tenantId);
    const [first, second] = await Promise.all(
      told.map(async ({ id }) => checkOf(trust, await here.prove(tenantId, id))),
    );
    expect([first?.verdict, first?.keyId]).toEqual(["verified", previous]);
    expect([second?.verdict, second?.keyId]).toEqual(["verified", current]);
    expect(second?.body?.key).toMatchObject({ use: "receipt", current, previous });
    expect(second?.body?.links?.parent).toBe(first?.body?.rid);
    const old = await checkOf(trust, await here.prove(tenantId, before));
    const fresh = await checkOf(trust, await here.prove(tenantId, after));
    expect([old.verdict, old.keyId, fresh.verdict, fresh.keyId]).toEqual([
      "verified",
      previous,
      "verified",
      current,
    ]);
  });

  it("[K4] what a retired key signed counts only as far as the log held it when the key ended", async () => {
    const tenantId = newId();
    const inTime = await here.add(tenantId);
    const stolen = (await here.signers.get(tenantId)).receipt;
    await here.keys.rotate({ tenantId, use: "receipt", overlapMs: 0 });
    expect(await here.keys.settle()).toBeGreaterThan(0);
    const set = new WriteSet();
    const draft = { tenantId, type: "run.finished" } as const;
    const { receiptId: late } = await here.receipts.add(set, draft, undefined, stolen);
    await opened.database.committer.commit(set);
    const trust = await here.receipts.trust(tenantId);
    const key = trust.items.find(({ keyId }) => keyId === stolen.kid);
    expect(key).toMatchObject({ status: "retired", maxTreeSize: 3 });
    expect((await checkOf(trust, await here.prove(tenantId, inTime))).verdict).toBe("verified");
    const forged = await checkOf(trust, await here.prove(tenantId, late));
    expect([forged.verdict, forged.signature.status]).toEqual(["undecidable", "undecidable"]);
    expect(forged.signature.detail).toContain("ended before leaf 3");
    const bare = await here.receipts.sdJwt(tenantId, inTime, { disclose: false });
    expect((await checkOf(trust, bare)).verdict).toBe("undecidable"); // nothing says when it was signed
  });

  it("[K5] a revoked key is followed, says why, stays listed and is never revoked twice", async () => {
    const tenantId = newId();
    const inTime = await here.add(tenantId);
    const [key] = (await here.receipts.keys(tenantId)).filter(({ use }) => use === "receipt");
    const kid = key?.keyId ?? "";
    await here.keys.revoke({ tenantId, kid, reason: "the laptop was stolen" });
    await here.keys.settle();
    const trust = await here.receipts.trust(tenantId);
    expect(trust.items.find(({ keyId }) => keyId === kid)).toMatchObject({
      status: "revoked",
      reason: "the laptop was stolen",
      maxTreeSize: 2,
    });
    const { keys } = await here.receipts.jwks(tenantId);
    expect(keys.find((jwk) => jwk.kid === kid)).toMatchObject({
      status: "revoked",
      reason: "the laptop was stolen",
      max_tree_size: 2,
      revoked_at: expect.any(Number),
      nbf: expect.any(Number),
    });
    expect((await checkOf(trust, await here.prove(tenantId, inTime))).verdict).toBe("verified");
    expect((await checkOf(trust, await here.prove(tenantId, await here.add(tenantId)))).verdict).toBe(
      "verified",
    );
    const again = here.keys.revoke({ tenantId, kid, reason: "once more" });
    await expect(again).rejects.toMatchObject({ code: "SIGNING_KEY_REVOKED" });
    const other = here.keys.revoke({ tenantId: newId(), kid, reason: "of another tenant" });
    await expect(other).rejects.toMatchObject({ code: "SIGNING_KEY_NOT_FOUND" });
  });

  it("[L6] the log keeps its name while its key changes, and both keys sign its heads until the overlap ends", async () => {
    const tenantId = newId();
    const stale = processOver(opened.database);
    await stale.prove(tenantId, await stale.add(tenantId));
    const before = await stale.receipts.trust(tenantId);
    const { current } = await here.keys.rotate({ tenantId, use: "log", overlapMs: 60_000 });
    const receipt = await stale.add(tenantId);
    const proof = await stale.prove(tenantId, receipt); // a process that has not heard of the new key
    const trust = await here.receipts.trust(tenantId);
    expect(trust.origin).toBe(before.origin);
    const note = parseCheckpoint(await here.log.checkpoint(tenantId));
    const ids = trust.items
      .filter(({ use }) => use === "log")
      .map(({ vkey }) => parseVkey(vkey ?? "", sha256).id);
    expect(note.note.signatures.map(({ id }) => id).sort()).toEqual(ids.sort());
    expect((await checkOf(before, proof)).verdict).toBe("verified"); // who has only the old keys
    expect((await checkOf(trust, proof)).verdict).toBe("verified");
    const kid = trust.items.find(({ use, keyId }) => use === "log" && keyId !== current)?.keyId ?? "";
    await here.keys.revoke({ tenantId, kid, reason: "it was copied" });
    await here.keys.settle();
    const later = await stale.prove(tenantId, await stale.add(tenantId));
    expect(parseCheckpoint(await here.log.checkpoint(tenantId)).note.signatures).toHaveLength(1);
    expect((await checkOf(await here.receipts.trust(tenantId), later)).verdict).toBe("verified");
  });

  it("[K5] the application can neither delete a key nor change whose it is", async () => {
    const tenantId = newId();
    await here.add(tenantId);
    const attempts = [
      sql`delete from signing_key where tenant_id = ${tenantId}`,
      sql`update signing_key set public_x = 'x' where tenant_id = ${tenantId}`,
      sql`update signing_key set kid = 'x' where tenant_id = ${tenantId}`,
    ];
    for (const attempt of attempts) {
      await expect(opened.database.tx(tenantId, (tx) => tx.query(attempt))).rejects.toThrow(
        /permission denied/,
      );
    }
  });

  it("keeps private halves sealed: no bytes of one are in the database", async () => {
    const tenantId = newId();
    await here.add(tenantId);
    const rows = await opened.database.system.query<{ sealed: Uint8Array; x: string }>(
      sql`select private_sealed as sealed, public_x as x from signing_key where tenant_id = ${tenantId}`,
    );
    expect(rows).toHaveLength(2);
    const pkcs8 = Buffer.from("302e020100300506032b6570", "hex"); // how every Ed25519 private key begins
    for (const { sealed } of rows) expect(Buffer.from(sealed).includes(pkcs8)).toBe(false);
    const wrongKey = createVault({ db: opened.database, kek: new Uint8Array(32).fill(6) });
    const blind = createSigners({ db: opened.database, vault: wrongKey, origin: "x" });
    await expect(blind.get(tenantId)).rejects.toThrow();
  });

  it("makes no keys for whoever only asks for them", async () => {
    const tenantId = newId();
    expect((await here.receipts.trust(tenantId)).items).toEqual([]);
    expect(await here.receipts.jwks(tenantId)).toEqual({ keys: [] });
    expect((await here.receipts.trust(tenantId)).items).toEqual([]);
  });
});

describe("a signing service that holds the keys", () => {
  it("signs, rotates and is held to its public key, while old keys stay where they are", async () => {
    const opened = await openTestDatabase("pglite");
    const db = opened.database;
    const peer = await startTransitPeer();
    const dialer = createDialer({ allow: ["127.0.0.0/8"], maxResponseBytes: 1e6, connectTimeoutMs: 5_000 });
    const remote = createTransitKeys({ dialer, url: peer.url, token: peer.token });
    const tenantId = newId();
    const software = processOver(db);
    const before = await software.add(tenantId);
    const moved = processOver(db, [remote, softwareKeys]);
    const { current } = await moved.keys.rotate({ tenantId, use: "receipt", overlapMs: 60_000 });
    const [stored] = await db.system.query<{ sealed: unknown; provider: string }>(
      sql`select private_sealed as sealed, provider from signing_key where kid = ${current}`,
    );
    expect(stored).toEqual({ sealed: null, provider: "transit" });
    const trust = await moved.receipts.trust(tenantId);
    for (const id of [before, await moved.add(tenantId)]) {
      expect((await checkOf(trust, await moved.prove(tenantId, id))).verdict).toBe("verified");
    }
    const jwk = trust.items.find(({ keyId }) => keyId === current)?.jwk;
    const signed = await (await moved.signers.get(tenantId)).receipt.sign(Buffer.from("x"));
    const publicKey = createPublicKey({ key: { ...jwk }, format: "jwk" });
    expect(verify(null, Buffer.from("x"), publicKey, signed)).toBe(true);

    const all = processOver(db, [remote, softwareKeys]);
    const newcomer = newId();
    await all.add(newcomer);
    expect((await all.keys.rotate({ tenantId: newcomer, use: "log", overlapMs: 0 })).current).not.toBe("");
    expect(peer.seen.filter((line) => line.endsWith("/rotate"))).toHaveLength(2);

    peer.failWith(503);
    await expect(all.add(newcomer)).rejects.toMatchObject({ code: "SIGNER_UNAVAILABLE" });
    const rotation = all.keys.rotate({ tenantId: newcomer, use: "receipt", overlapMs: 0 });
    await expect(rotation).rejects.toMatchObject({ code: "SIGNER_UNAVAILABLE" });
    const kept = await all.receipts.keys(newcomer);
    expect(kept.filter(({ use }) => use === "receipt").map(({ status }) => status)).toEqual(["active"]);
    peer.failWith(null);
    peer.lie();
    await expect(all.add(newcomer)).rejects.toMatchObject({ code: "SIGNER_UNAVAILABLE" });
    await dialer.close();
    await peer.close();
    await opened.close();
  });
});
