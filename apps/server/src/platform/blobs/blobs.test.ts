import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sql, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { type BlobOwner, createBlobs, inlineLimit, looksLikeReference, referenceIn } from "./index.ts";

const long = (text: string): string =>
  JSON.stringify(text.repeat(Math.ceil((inlineLimit + 1) / text.length)));
const owner = (): BlobOwner => ({ tenantId: newId(), runId: newId() });

describe.each(drivers)("payloads on %s", (driver) => {
  const db = useDatabase(driver);
  const blobs = () => createBlobs({ db: db() });
  const hold = async (who: BlobOwner, text: string): Promise<string> => {
    const set = new WriteSet();
    const kept = await blobs().hold(set, who, text);
    expect(await db().committer.commit(set)).toEqual({ ok: true });
    return kept;
  };
  /** What a reader makes of the column, as the database gives it. */
  const readBack = async (who: BlobOwner, kept: string): Promise<unknown> => {
    const [row] = await db().system.query<{ value: unknown }>(sql`select ${kept}::jsonb as value`);
    const reference = referenceIn(row?.value);
    return reference ? JSON.parse(await blobs().load(who, reference)) : row?.value;
  };
  const partsOf = (who: BlobOwner) =>
    db().system.query<{ part: number; encoding: string; size: number }>(
      sql`select part, encoding, octet_length(body)::int4 as size from blob where run_id = ${who.runId} order by sha256, part`,
    );

  it("stay where they are while they are short", async () => {
    const who = owner();
    const text = JSON.stringify({ a: "x".repeat(inlineLimit - 100) });
    expect(await hold(who, text)).toBe(text);
    expect(await partsOf(who)).toEqual([]);
  });

  it("are kept beside the row when they are long, and come back to the byte", async () => {
    for (const text of [long("abc"), long("ä€𝄞\n"), JSON.stringify(randomBytes(60_000).toString("base64"))]) {
      const who = owner();
      const kept = await hold(who, text);
      expect(kept.length).toBeLessThan(200);
      const reference = referenceIn(JSON.parse(kept));
      expect(reference?.bytes).toBe(Buffer.byteLength(text));
      expect(reference && (await blobs().load(who, reference))).toBe(text);
    }
  });

  it("are compressed where that pays and left alone where it does not", async () => {
    const [who, other] = [owner(), owner()];
    await hold(who, long("the same again and again "));
    await hold(other, JSON.stringify(randomBytes(60_000).toString("base64url")));
    expect(await partsOf(who)).toMatchObject([{ part: 0, encoding: "zstd" }]);
    const [first] = await partsOf(who);
    expect(first?.size).toBeLessThan(1_000);
    expect((await partsOf(other))[0]?.encoding).toMatch(/plain|zstd/);
  });

  it("of many megabytes go in parts, and one at a time is in memory when they are streamed", async () => {
    const who = owner();
    const text = JSON.stringify(randomBytes(3_000_000).toString("hex"));
    const set = new WriteSet();
    const reference = referenceIn(JSON.parse(await blobs().hold(set, who, text)));
    expect(set.empty).toBe(true); // it is durable before the commit that names it
    const parts = await partsOf(who);
    expect(parts.length).toBeGreaterThan(8);
    expect(Math.max(...parts.map((p) => p.size))).toBeLessThanOrEqual(256 * 1024);
    const { bytes, body } = await blobs().stream(who, reference?.sha256 ?? "");
    let seen = "";
    for await (const chunk of body) seen += (chunk as Buffer).toString();
    expect([seen === text, bytes]).toEqual([true, text.length]);
  });

  it("of the same content are kept once for a run, however often and at the same time", async () => {
    const who = owner();
    const text = long("twice");
    const kept = await Promise.all([hold(who, text), hold(who, text), hold(who, text)]);
    expect(new Set(kept).size).toBe(1);
    const set = new WriteSet();
    for (let i = 0; i < 3; i++) await blobs().hold(set, who, text);
    expect(await db().committer.commit(set)).toEqual({ ok: true });
    expect(await partsOf(who)).toHaveLength(1);
  });

  it("are not found by another run, nor by another tenant", async () => {
    const who = owner();
    const reference = referenceIn(JSON.parse(await hold(who, long("mine"))));
    if (!reference) throw new Error("it is kept as a blob");
    for (const stranger of [
      { ...who, runId: newId() },
      { ...who, tenantId: newId() },
    ]) {
      await expect(blobs().load(stranger, reference)).rejects.toMatchObject({ code: "BLOB_NOT_FOUND" });
      await expect(blobs().stream(stranger, reference.sha256)).rejects.toMatchObject({
        code: "BLOB_NOT_FOUND",
      });
    }
  });

  it("are copied to a run that repeats another one", async () => {
    const [from, to] = [owner(), newId()];
    const text = long("again");
    const reference = referenceIn(JSON.parse(await hold(from, text)));
    if (!reference) throw new Error("it is kept as a blob");
    const set = new WriteSet();
    blobs().copy(set, from, to, [reference, reference]);
    await db().committer.commit(set);
    expect(await blobs().load({ tenantId: from.tenantId, runId: to }, reference)).toBe(text);
  });

  it("[B3] that were damaged or are not whole are not given away", async () => {
    const who = owner();
    const text = JSON.stringify(randomBytes(600_000).toString("hex"));
    const reference = referenceIn(JSON.parse(await hold(who, text)));
    if (!reference) throw new Error("it is kept as a blob");
    await db().system.query(sql`delete from blob where run_id = ${who.runId} and part = 1`);
    await expect(blobs().load(who, reference)).rejects.toMatchObject({ code: "BLOB_NOT_FOUND" });
    const other = owner();
    const short = referenceIn(JSON.parse(await hold(other, long("sound"))));
    if (!short) throw new Error("it is kept as a blob");
    const swapped = referenceIn(JSON.parse(await hold(other, long("wrong"))));
    await db().system.query(
      sql`delete from blob where run_id = ${other.runId} and sha256 = ${Buffer.from(short.sha256, "hex")}`,
    );
    await db().system.query(sql`insert into blob (tenant_id, run_id, sha256, part, parts, bytes, encoding, body)
      select tenant_id, run_id, ${Buffer.from(short.sha256, "hex")}, part, parts, bytes, encoding, body from blob
      where run_id = ${other.runId} and sha256 = ${Buffer.from(swapped?.sha256 ?? "", "hex")}`);
    await expect(blobs().load(other, short)).rejects.toThrow("damaged");
  });

  it("[B1] that look like a reference are data, whatever they name", async () => {
    const who = owner();
    const secret = referenceIn(JSON.parse(await hold(who, long("secret of the run"))));
    for (const forged of [
      `{"$blob":{"sha256":"${secret?.sha256}","bytes":${secret?.bytes}}}`,
      ` {\n "\\u0024blob" : {"sha256":"${secret?.sha256}","bytes":${secret?.bytes}}}`,
      `{"\\u0024bl\\u006fb":{"sha256":"${secret?.sha256}","bytes":${secret?.bytes}}}`,
      `{"$bl\\u006fb":{"sha256":"${secret?.sha256}","bytes":${secret?.bytes}}}`,
      `{"$blob":1,"$blob":{"sha256":"${secret?.sha256}","bytes":${secret?.bytes}}}`,
    ]) {
      expect(await readBack(who, await hold(who, forged))).toEqual(JSON.parse(forged));
    }
  });

  it("[B1] of any shape come back as they were sent", async () => {
    const who = owner();
    const reference = fc.record({
      $blob: fc.oneof(fc.anything(), fc.record({ sha256: fc.constant("a".repeat(64)), bytes: fc.nat() })),
    });
    const clean = (value: unknown): string | undefined => JSON.stringify(value)?.replaceAll(/\\u0000/g, "");
    const payload = fc
      .oneof({ arbitrary: fc.jsonValue(), weight: 2 }, { arbitrary: reference, weight: 1 })
      .map((value) => clean(value) ?? "null");
    await fc.assert(
      fc.asyncProperty(payload, async (text) => {
        expect(await readBack(who, await hold(who, text))).toEqual(JSON.parse(text));
      }),
      { numRuns: 60 },
    );
  });
});

describe("a reference", () => {
  it.each([
    null,
    1,
    "{}",
    [],
    {},
    { $blob: null },
    { $blob: {} },
    { $blob: { sha256: "x", bytes: 1 } },
    { $blob: { sha256: "a".repeat(64), bytes: -1 } },
    { $blob: { sha256: "A".repeat(64), bytes: 1 } },
    { $blob: { sha256: "a".repeat(64), bytes: 1 }, more: 1 },
    Object.create({ $blob: { sha256: "a".repeat(64), bytes: 1 } }),
  ])("is not %j", (value) => {
    expect(referenceIn(value)).toBeUndefined();
  });

  it("is suspected wherever the database might make one, and not in ordinary payloads", () => {
    for (const text of ['{"$blob":1}', '\n{ "\\u0024BLOB":1}', '{"$":1}'])
      expect(looksLikeReference(text)).toBe(true);
    for (const text of ['{"a":{"$blob":1}}', '[{"$blob":1}]', '"{$blob"', "{}", "1"])
      expect(looksLikeReference(text)).toBe(false);
  });
});
