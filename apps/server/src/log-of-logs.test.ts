/** One installation that witnesses another: the log of logs, cosignatures, and what a stranger can prove with them. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  formatAddCheckpoint,
  formatWitnessVkey,
  noteKey,
  parseAddCheckpoint,
  parseCheckpoint,
  parseHeadEntry,
  parseVkey,
  parseWitnessVkey,
  readCosignatures,
  verifyWitnessed,
  type WitnessTrust,
  witnessKey,
} from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, sql, WriteSet } from "#platform/db";
import { formatId, newId, sha256, systemClock } from "#platform/kernel";
import { createDialer } from "#platform/net";
import { createVault } from "#platform/vault";
import { checkLogs, createHeads, createLog, type HeadsDeps } from "#sign/log";
import { createReceipts, createSigners, createSigningKeys, installationId } from "#sign/receipts";
import { createWitnessing, type Witnessing } from "#sign/witness";
import { startTestApi } from "./testing/api.ts";
import { drivers, openTestDatabase, type TestDatabase } from "./testing/index.ts";
import { isConsistent, isIncluded, leafOf } from "./testing/rfc9162.ts";

const crypto = createNodeCrypto();
const silent = pino({ level: "silent" });
const dialer = createDialer({ allow: ["127.0.0.0/8"], maxResponseBytes: 1e6, connectTimeoutMs: 5_000 });

type Extra = Partial<Parameters<typeof createWitnessing>[0]> & Pick<HeadsDeps, "heartbeatMs">;

function installation(db: Database, host: string, extra: Extra = {}) {
  const vault = createVault({ db, kek: new Uint8Array(32).fill(4) });
  const origin = `https://${host}`;
  const signers = createSigners({ db, vault, origin });
  const shared = { db, vault, origin, signers, clock: systemClock };
  const log = createLog({ ...shared, log: silent });
  const receipts = createReceipts(shared);
  const { heartbeatMs, ...rest } = extra;
  const heads = createHeads({ db, signers, ...(heartbeatMs === undefined ? {} : { heartbeatMs }) });
  const witnessing: Witnessing = createWitnessing({
    ...{ db, dialer, tree: log, heads, signers, clock: systemClock, log: silent },
    ...{ peers: [], quorum: 0, logs: [] },
    ...rest,
  });
  const add = async (tenantId: string): Promise<string> => {
    const set = new WriteSet();
    const { receiptId } = await receipts.add(set, { tenantId, type: "run.started" });
    await db.committer.commit(set);
    await log.sequenceNow(tenantId);
    return receiptId;
  };
  const logKey = async () => {
    const keys = await signers.get(installationId);
    return noteKey(keys.origin, keys.log[0].publicKey, sha256);
  };
  return { log, receipts, heads, witnessing, signers, add, logKey };
}

describe.each(drivers)("a witness on %s", (driver) => {
  const opened: TestDatabase[] = [];
  let ours: ReturnType<typeof installation>;
  let db: Database;
  let witness: ReturnType<typeof installation>;
  let door: Server;
  let trust: Omit<WitnessTrust, "origin">;
  let peers: { url: string; key: ReturnType<typeof witnessKey> }[];
  let down = false;

  beforeAll(async () => {
    opened.push(await openTestDatabase("pglite"), await openTestDatabase(driver));
    db = opened[0]?.database as Database; // just opened
    const theirs = opened[1]?.database as Database;
    ours = installation(db, "ours.example");
    witness = installation(theirs, "witness.example", { logs: [await ours.logKey()] });
    door = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", async () => {
        if (down) return void response.writeHead(500).end();
        const { status, type, body } = await witness.witnessing.addCheckpoint(
          Buffer.concat(chunks).toString(),
        );
        response.writeHead(status, { "content-type": type }).end(body);
      });
    });
    await new Promise<void>((listening) => door.listen(0, "127.0.0.1", listening));
    const { name, signer } = await witness.signers.witness();
    const key = witnessKey(name, signer.publicKey, sha256);
    peers = [{ url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`, key }]; // listening on TCP
    ours = installation(db, "ours.example", { peers, quorum: 1 });
    trust = { logKeys: [await ours.logKey()], witnesses: [key], quorum: 1 };
  });
  afterAll(async () => {
    door?.close();
    for (const { close } of opened) await close();
  });

  it("[H1] proves to a stranger that a receipt was in its log when a witness saw it", async () => {
    const tenantId = newId();
    const receiptId = await ours.add(tenantId);
    await ours.add(newId());
    await ours.witnessing.turn();
    const proof = await ours.witnessing.prove(tenantId, receiptId, 1);
    const { leafHash } = await ours.log.leaf(tenantId, receiptId);
    const { origin } = await ours.receipts.trust(tenantId);
    const verdict = await verifyWitnessed(leafHash, proof, { ...trust, origin }, crypto);
    expect(verdict).toMatchObject({ ok: true, by: ["witness.example/witness"] });
    const verify = (changed: object, over: object = {}) =>
      verifyWitnessed(leafHash, { ...proof, ...changed }, { ...trust, origin, ...over }, crypto);
    const { logOfLogs } = proof;
    for (const forged of [
      await verify({ entry: proof.entry.replace(/\n\d+\n$/, "\n1\n") }),
      await verify({ leafIndex: proof.leafIndex + 1 }),
      await verify({ logOfLogs: { ...logOfLogs, leafIndex: logOfLogs.leafIndex + 1 } }),
      await verify({ logOfLogs: { ...logOfLogs, checkpoint: "nonsense" } }),
      await verify({}, { quorum: 2 }),
      await verify({}, { origin: "another.example/log/x" }),
      await verify({}, { witnesses: [witnessKey("x", new Uint8Array(32), sha256)] }),
      await verifyWitnessed(sha256("x"), proof, { ...trust, origin }, crypto),
    ])
      expect(forged.ok, JSON.stringify(forged)).toBe(false);
    const entry = parseHeadEntry(proof.entry); // and by the second checker
    const hashes = (list: readonly string[]) => list.map((text) => Buffer.from(text, "base64"));
    expect(isIncluded(leafHash, proof.leafIndex, entry.size, hashes(proof.hashes), entry.root)).toBe(true);
    const above = parseCheckpoint(logOfLogs.checkpoint);
    const leaf = leafOf(Buffer.from(proof.entry));
    expect(isIncluded(leaf, logOfLogs.leafIndex, above.size, hashes(logOfLogs.hashes), above.root)).toBe(
      true,
    );
  });

  it("[H1] enters nothing where nothing happened, and states an idle head again when its hour is over", async () => {
    const tenantId = newId();
    await ours.add(tenantId);
    await ours.witnessing.turn();
    const size = async () => parseCheckpoint(await ours.log.checkpoint(installationId)).size;
    const before = await size();
    expect((await ours.heads.sequence()).state).toBe("empty");
    expect(await size()).toBe(before);
    const hasty = installation(db, "ours.example", { heartbeatMs: 0 });
    expect((await hasty.heads.sequence()).state).toBe("signed");
    const entries = await db.system.query<{ entry: string }>(
      sql`select entry from log_head_entry where tenant_id = ${tenantId} order by leaf_index`,
    );
    expect(entries.map(({ entry }) => parseHeadEntry(entry).size)).toEqual([1, 1]);
  });

  it("[H2] keeps a log of logs that grows consistently and that fsck can make again", async () => {
    await ours.add(newId());
    await ours.heads.sequence();
    const before = parseCheckpoint(await ours.log.checkpoint(installationId));
    await Promise.all(Array.from({ length: 3 }, () => ours.add(newId())));
    await Promise.all([ours.heads.sequence(), installation(db, "ours.example").heads.sequence()]);
    await ours.heads.sequence();
    const after = parseCheckpoint(await ours.log.checkpoint(installationId));
    const { hashes } = await ours.log.consistency(installationId, before.size, after.size);
    expect(isConsistent(before.size, after.size, before.root, after.root, hashes)).toBe(true);
    const found = (await checkLogs({ db })).find((log) => log.tenantId === installationId);
    expect(found).toMatchObject({ treeSize: after.size, difference: null });
    const path = "tile/entries/000.p/1";
    expect(await ours.log.file(installationId, path)).toBeUndefined(); // it would list the tenants
  });

  it("asks again from the size that the witness names, and goes on without one that is down", async () => {
    const tenantId = newId();
    const receiptId = await ours.add(tenantId);
    down = true;
    await ours.witnessing.turn();
    await expect(ours.witnessing.prove(tenantId, receiptId, 1)).rejects.toMatchObject({
      code: "RECEIPT_NOT_LOGGED",
    });
    expect((await ours.witnessing.prove(tenantId, receiptId, 0)).treeSize).toBe(1);
    down = false;
    await db.system.query(sql`delete from log_cosignature`); // ours forgot what the witness has seen
    await ours.add(newId());
    await ours.witnessing.turn();
    expect((await ours.witnessing.prove(tenantId, receiptId, 1)).treeSize).toBe(1);
  });

  it("[H2] changes its key like every log, and does not enter itself", async () => {
    const keys = createSigningKeys({
      db,
      signers: ours.signers,
      receipts: ours.receipts,
      logged: ours.log.logged,
      graceMs: 0,
    });
    await keys.rotate({ tenantId: installationId, use: "log", overlapMs: 60_000 });
    const tenantId = newId();
    const receiptId = await ours.add(tenantId);
    await ours.log.sequenceNow(installationId);
    expect((await ours.heads.sequence()).state).toBe("signed");
    expect((await ours.heads.sequence()).state).toBe("empty");
    const note = parseCheckpoint(await ours.log.checkpoint(installationId));
    expect(note.note.signatures).toHaveLength(2);
    expect((await ours.witnessing.prove(tenantId, receiptId, 0)).treeSize).toBe(1);
    const found = (await checkLogs({ db })).find((log) => log.tenantId === installationId);
    expect(found?.difference).toBeNull();
  });

  it("[D1] a change that is to be witnessed is, and says what was reached where it cannot be", async () => {
    const tenantId = newId();
    const receiptId = await ours.add(tenantId);
    expect(await ours.witnessing.settle(tenantId, "witnessed")).toBe("witnessed");
    expect((await ours.witnessing.prove(tenantId, receiptId, 1)).treeSize).toBe(1);
    const alone = installation(db, "ours.example");
    expect(await alone.witnessing.settle(tenantId, "witnessed")).toBe("sync"); // it asks nobody
    expect(await ours.witnessing.settle(newId(), "sync")).toBe("sync"); // nothing to wait for
    const stuck = newId();
    await ours.add(stuck);
    await db.system.query(sql`update log_tile set hashes = sha256('x') where tenant_id = ${stuck}`);
    const set = new WriteSet();
    const added = await ours.receipts.add(set, { tenantId: stuck, type: "run.started" });
    await db.committer.commit(set);
    expect(await ours.witnessing.settle(stuck, "sync")).toBe("async"); // its log cannot be signed
    expect((await ours.receipts.find(stuck, added.receiptId)).id).toBe(added.receiptId);
  });

  it("[I1][I3] cosigns no fork, no smaller log and nothing unsigned, and says why", async () => {
    await ours.add(newId());
    await ours.witnessing.turn();
    const note = await ours.log.checkpoint(installationId);
    const head = parseCheckpoint(note);
    const ask = (old: number, hashes: readonly Uint8Array[], checkpoint: string) =>
      witness.witnessing.addCheckpoint(formatAddCheckpoint({ old, hashes, checkpoint }));
    expect(await ask(head.size, [], note)).toMatchObject({ status: 200 }); // the same once more
    expect(await ask(head.size - 1, [], note)).toEqual({
      status: 409,
      body: `${head.size}\n`,
      type: "text/x.tlog.size",
    });
    await ours.add(newId());
    await ours.heads.sequence();
    const next = await ours.log.checkpoint(installationId);
    expect((await ask(head.size, [sha256("x")], next)).status).toBe(422);
    expect((await ask(head.size, [], note.replace(/\n\d+\n/, "\n999\n"))).status).toBe(403);
    expect((await ask(head.size + 5, [], note)).status).toBe(400);
    expect((await ask(0, [], note.replaceAll("ours.example", "other.example"))).status).toBe(404);
    expect((await witness.witnessing.addCheckpoint("nonsense")).status).toBe(400);
    const fork = installation((await openFork()).database, "ours.example");
    const keys = await fork.signers.get(installationId);
    const forked = installation(opened[1]?.database as Database, "witness.example", {
      logs: [noteKey(keys.origin, keys.log[0].publicKey, sha256)],
    }); // a log of the same name whose key is trusted too, with another history
    for (let size = 0; size < head.size; size++) await fork.add(newId());
    await fork.heads.sequence();
    const other = await fork.log.checkpoint(installationId);
    expect(parseCheckpoint(other).size).toBe(head.size);
    const request = formatAddCheckpoint({ old: head.size, hashes: [], checkpoint: other });
    expect((await forked.witnessing.addCheckpoint(request)).status).toBe(409);
  });
  const openFork = async (): Promise<TestDatabase> => {
    const made = await openTestDatabase("pglite");
    opened.push(made);
    return made;
  };

  it("[I2] of two heads that come at the same time, one follows the other", async () => {
    await ours.witnessing.turn();
    const from = parseCheckpoint(await ours.log.checkpoint(installationId)).size;
    const requests: string[] = [];
    for (let i = 0; i < 2; i++) {
      await ours.add(newId());
      await ours.heads.sequence();
      const checkpoint = await ours.log.checkpoint(installationId);
      const { hashes } = await ours.log.consistency(installationId, from);
      requests.push(formatAddCheckpoint({ old: from, hashes, checkpoint }));
    }
    const answers = await Promise.all(requests.map((text) => witness.witnessing.addCheckpoint(text)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const won = requests[answers.findIndex(({ status }) => status === 200)] ?? "";
    const lost = answers.find(({ status }) => status === 409);
    expect(lost?.body).toBe(`${parseAddCheckpoint(won).head.size}\n`);
  });
});

describe("the log of logs over HTTP", () => {
  it("shows anybody its trust, checkpoint and tiles, and refuses to witness what it does not know", async () => {
    const api = await startTestApi("pglite");
    const { app } = api;
    const set = new WriteSet();
    const { receiptId } = await app.receipts.add(set, { tenantId: app.admin.tenantId, type: "run.started" });
    await app.db.committer.commit(set);
    await app.log.sequenceNow(app.admin.tenantId);
    await app.witnessing.turn();
    const trust = await api.ask("GET", "/v1/trust/instance", undefined, { key: "" });
    expect(trust.json).toMatchObject({ origin: "127.0.0.1:8080/log/instance", quorum: 0, witness: null });
    const text = await (await fetch(`${api.base}/log/instance/checkpoint`)).text();
    expect(parseCheckpoint(text).origin).toBe(trust.json.origin);
    expect((await fetch(`${api.base}/log/instance/tile/0/000.p/1`)).status).toBe(200);
    expect((await fetch(`${api.base}/log/instance/tile/entries/000.p/1`)).status).toBe(404);
    const receipt = formatId("receipt", receiptId);
    const proof = await api.ask("GET", `/v1/log/proof/witness?receipt=${receipt}`);
    expect(proof.json).toMatchObject({ leafIndex: 0, treeSize: 1 });
    const verdict = await verifyWitnessed(
      Buffer.from(proof.json.leafHash, "base64"),
      proof.json,
      {
        origin: `127.0.0.1:8080/log/${formatId("tenant", app.admin.tenantId)}`,
        logKeys: trust.json.vkeys.map((vkey: string) => parseVkey(vkey, sha256)),
        witnesses: [],
        quorum: 0,
      },
      crypto,
    );
    expect(verdict.ok).toBe(true);
    const rotate = (prefer: string) => api.ask("POST", "/v1/keys/rotate", { use: "receipt" }, {}, { prefer });
    const synced = await rotate("receipt=sync");
    expect(synced.status).toBe(200);
    expect(synced.headers.get("receipt-durability")).toBe("sync");
    expect(synced.headers.get("preference-applied")).toBe("receipt=sync");
    expect((await api.ask("GET", "/v1/log/status")).json).toMatchObject({ treeSize: 3, pending: 0 });
    const unwitnessed = await rotate("wait=1, receipt=witnessed");
    expect(unwitnessed.headers.get("receipt-durability")).toBe("sync");
    expect(unwitnessed.headers.get("preference-applied")).toBeNull();
    expect((await rotate("receipt=often")).headers.get("receipt-durability")).toBeNull();
    const asked = await api.ask("POST", "/witness/add-checkpoint", `old 0\n\n${text}`, { key: "" });
    expect([asked.status, asked.headers.get("content-type")]).toEqual([404, "text/plain; charset=utf-8"]);
    await api.close();
  });
});

describe("cosignatures", () => {
  it("have keys that are told from those of logs, and count only for what was signed", async () => {
    const key = witnessKey("w.example", new Uint8Array(32).fill(1), sha256);
    const vkey = formatWitnessVkey(key);
    expect(parseWitnessVkey(vkey, sha256)).toEqual(key);
    expect(() => parseVkey(vkey, sha256)).toThrow();
    expect(key.id).not.toBe(noteKey("w.example", key.publicKey, sha256).id);
    const head = parseCheckpoint(`o/log\n1\n${"A".repeat(43)}=\n\n\u2014 w.example ${"A".repeat(104)}\n`);
    expect(await readCosignatures(head, [key], crypto)).toEqual([]);
  });
});
