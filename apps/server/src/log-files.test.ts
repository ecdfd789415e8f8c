/** The log over HTTP, read by one who knows nothing but RFC 9162 and the C2SP formats. */
import { createPublicKey, verify } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyWrites, WriteSet } from "#platform/db";
import { formatId, newId } from "#platform/kernel";
import { type Answered, startTestApi, type TestApi } from "./testing/api.ts";
import { entryOf, isConsistent, isIncluded, leafOf, leavesIn, rootOf } from "./testing/rfc9162.ts";

describe("the log over HTTP", () => {
  let api: TestApi;
  let log: string;
  const ids: string[] = [];
  const add = async (count: number): Promise<void> => {
    const { db, receipts, admin, log: receiptLog } = api.app;
    const set = new WriteSet();
    for (let i = 0; i < count; i++) {
      const draft = { tenantId: admin.tenantId, type: "run.started", disclose: { n: i } } as const;
      ids.push(formatId("receipt", (await receipts.add(set, draft)).receiptId));
    }
    await db.tx(admin.tenantId, (tx) => applyWrites(tx, set));
    await receiptLog.sequenceNow(admin.tenantId);
  };
  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${api.base}/log/${log}/${path}`, { headers });
  const bytesOf = async (path: string): Promise<Buffer> => Buffer.from(await (await get(path)).arrayBuffer());
  const head = async () => {
    const note = await (await get("checkpoint")).text();
    const [origin = "", size = "", root = ""] = note.split("\n");
    return { note, origin, size: Number(size), root: Buffer.from(root, "base64") };
  };
  const prove = (kind: string, query: string, headers = {}): Promise<Answered> =>
    api.ask("GET", `/v1/log/proof/${kind}?${query}`, undefined, headers);
  const hashes = (answer: Answered): Buffer[] =>
    answer.json.hashes.map((text: string) => Buffer.from(text, "base64"));

  beforeAll(async () => {
    api = await startTestApi("pglite");
    log = formatId("tenant", api.app.admin.tenantId);
    await add(270);
  });
  afterAll(() => api?.close());

  it("gives anybody the tiles from which the signed root follows", async () => {
    const { note, origin, size, root } = await head();
    expect(origin).toBe(`127.0.0.1:8080/log/${log}`);
    const tiles = [await bytesOf("tile/0/000"), await bytesOf(`tile/0/001.p/${size - 256}`)];
    expect(rootOf(tiles.flatMap(leavesIn)).equals(root)).toBe(true);
    expect(await bytesOf("tile/1/000.p/1")).toEqual(rootOf(leavesIn(tiles[0] ?? Buffer.of())));
    const keys = await api.ask("GET", "/v1/trust/tenants/:tenantId/keys", undefined, {
      tenantId: log,
      key: "",
    });
    const { jwk } = keys.json.items.find((item: { use: string }) => item.use === "log");
    const [text = "", line = ""] = note.split("\n\n");
    const signature = Buffer.from(line.split(" ")[2] ?? "", "base64").subarray(4);
    const publicKey = createPublicKey({ key: jwk, format: "jwk" });
    expect(verify(null, Buffer.from(`${text}\n`), publicKey, signature)).toBe(true);
  });

  it("gives entries that hash to the leaves and follow from the receipts", async () => {
    const bundle = await bytesOf("tile/entries/000");
    const entries = Array.from({ length: 256 }, (_, i) => bundle.subarray(i * 35 + 2, i * 35 + 35));
    const leaves = leavesIn(await bytesOf("tile/0/000"));
    expect(entries.map((entry) => leafOf(entry).toString("hex"))).toEqual(
      leaves.map((l) => l.toString("hex")),
    );
    const receipt = await api.ask("GET", "/v1/receipts/:id", undefined, { id: ids[7] ?? "" });
    expect(entries).toContainEqual(entryOf(receipt.json.jws));
  });

  it("lets full tiles be cached for ever, and nothing else", async () => {
    const full = await get("tile/0/000");
    expect(full.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(full.headers.get("content-type")).toBe("application/octet-stream");
    for (const path of ["tile/0/001.p/3", "tile/entries/001.p/3", "checkpoint"])
      expect((await get(path)).headers.get("cache-control"), path).toBe("public, no-cache");
    const tag = full.headers.get("etag") ?? "";
    const again = await get("tile/0/000", { "if-none-match": `"other", ${tag}` });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    expect((await get("tile/0/000", { "if-none-match": '"other"' })).status).toBe(200);
  });

  it("answers alike for tiles that are not there, other spellings, and logs that do not exist", async () => {
    for (const path of ["tile/0/001", "tile/0/0", "tile/00/000", "tile/0/000.p/256", "x", "tile/7/000"]) {
      expect((await get(path)).status, path).toBe(404);
    }
    const one = await get("tile/0/005");
    const other = await fetch(`${api.base}/log/${formatId("tenant", newId())}/tile/0/005`);
    const problemOf = async (answer: Response) => {
      const { code, detail, status } = (await answer.json()) as Record<string, unknown>; // a problem document
      return { code, detail, status };
    };
    expect(await problemOf(other)).toEqual(await problemOf(one));
    expect((await fetch(`${api.base}/log/ten_nonsense/checkpoint`)).status).toBe(404);
  });

  it("proves inclusion and growth so that the second checker agrees", async () => {
    const before = await head();
    await add(40);
    const after = await head();
    const receipt = ids[300] ?? "";
    const included = await prove("inclusion", `receipt=${receipt}`);
    const { json } = included;
    const leaf = Buffer.from(json.leafHash, "base64");
    expect([json.receiptId, json.treeSize, json.checkpoint]).toEqual([receipt, after.size, after.note]);
    expect(isIncluded(leaf, json.leafIndex, json.treeSize, hashes(included), after.root)).toBe(true);
    expect(isIncluded(leaf, json.leafIndex - 1, json.treeSize, hashes(included), after.root)).toBe(false);
    const grown = await prove("consistency", `from=${before.size}&to=${after.size}`);
    expect(isConsistent(before.size, after.size, before.root, after.root, hashes(grown))).toBe(true);
    expect((await prove("consistency", `from=${before.size}`)).json).toEqual(grown.json);
  });

  it("refuses sizes that the log does not have, receipts of others, and callers without the right", async () => {
    expect((await prove("consistency", "from=5&to=100000")).json.code).toBe("LOG_SIZE_UNKNOWN");
    expect((await prove("consistency", "from=9&to=5")).json.code).toBe("LOG_SIZE_UNKNOWN");
    expect((await prove("consistency", "from=-1")).json.code).toBe("REQUEST_INVALID");
    const unknown = await prove("inclusion", `receipt=${formatId("receipt", newId())}`);
    expect(unknown.json.code).toBe("RECEIPT_NOT_FOUND");
    const stranger = (await api.app.access.createTenant(api.app.admin, "Other")).apiKey;
    const foreign = await prove("inclusion", `receipt=${ids[0]}`, { key: stranger });
    expect([foreign.status, foreign.json.code]).toEqual([404, "RECEIPT_NOT_FOUND"]);
    expect((await prove("inclusion", `receipt=${ids[0]}`, { key: "" })).status).toBe(401);
  });

  it("says how the log is", async () => {
    const { size, root, origin } = await head();
    const status = await api.ask("GET", "/v1/log/status");
    expect(status.json).toMatchObject({
      origin,
      url: `http://127.0.0.1:8080/log/${log}`,
      public: true,
      treeSize: size,
      rootHash: root.toString("base64"),
      healthy: true,
      problem: null,
      pending: 0,
    });
  });
});

describe("a log that is not public", () => {
  it("is served to nobody as files, and proves itself to those who may read it", async () => {
    const api = await startTestApi("pglite", { env: { OARS_LOG_PUBLIC: "false" } });
    const { app } = api;
    const set = new WriteSet();
    const { receiptId } = await app.receipts.add(set, { tenantId: app.admin.tenantId, type: "run.started" });
    await app.db.committer.commit(set);
    await app.log.sequenceNow(app.admin.tenantId);
    const file = await fetch(`${api.base}/log/${formatId("tenant", app.admin.tenantId)}/checkpoint`);
    expect(file.status).toBe(404);
    const query = `receipt=${formatId("receipt", receiptId)}`;
    expect((await api.ask("GET", `/v1/log/proof/inclusion?${query}`)).status).toBe(200);
    await api.close();
  });
});
