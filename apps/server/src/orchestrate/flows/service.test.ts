import { describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { type Database, sql } from "#platform/db";
import { digestOf } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { authorOf } from "./sample-author.ts";
import { sampleKinds } from "./sample-kinds.ts";
import { createFlows, type NewVersion } from "./service.ts";

const callerOf = (permissions?: Caller["permissions"]) => authorOf(undefined, permissions);

const source = (version: string, value = "1", flow = "orders"): string =>
  `flow: ${flow}\nversion: ${version}\nowner: logistics\nsteps:\n  only: { use: map, with: { value: ${value} } }\n`;

const code = (of: string) => expect.objectContaining({ code: of });

describe.each(drivers)("flows on %s", (driver) => {
  const db = useDatabase(driver);
  const make = (onPublish?: (tx: unknown, caller: Caller, version: NewVersion) => Promise<void>) =>
    createFlows({ db: db(), kinds: sampleKinds, ...(onPublish ? { onPublish } : {}) });

  it("[V2] publishes a version once and answers a repeat like the first time", async () => {
    const seen: NewVersion[] = [];
    const flows = make(async (_tx, _caller, version) => void seen.push(version));
    const caller = callerOf();
    const first = await flows.publish(caller, source("1.0.0"));
    const again = await flows.publish(
      caller,
      JSON.parse(
        '{"steps":{"only":{"with":{"value":1},"use":"map"}},"owner":"logistics","version":"1.0.0","flow":"orders"}',
      ),
    );
    expect(first).toMatchObject({ name: "orders", version: "1.0.0", owner: "logistics", created: true });
    expect(again).toEqual({ ...first, created: false });
    expect(seen.map(({ version, isLatest }) => [version, isLatest])).toEqual([["1.0.0", true]]);
  });

  it("refuses other content under a published version", async () => {
    const flows = make();
    const caller = callerOf();
    await flows.publish(caller, source("1.0.0", "1"));
    await expect(flows.publish(caller, source("1.0.0", "2"))).rejects.toEqual(code("FLOW_VERSION_TAKEN"));
    expect((await flows.find(caller, "orders")).definition.steps.only?.with).toEqual({ value: 1 });
  });

  it("[V2] gives every one of many publishers of one version the right answer", async () => {
    const flows = make();
    const caller = callerOf();
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) => flows.publish(caller, source("1.0.0", String(i % 2)))),
    );
    const published = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    expect(published.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(published.map(({ hash }) => hash)).size).toBe(1);
    expect([published.length, refused.length]).toEqual([6, 6]);
    for (const reason of refused) expect(reason).toEqual(code("FLOW_VERSION_TAKEN"));
  });

  it("publishes nothing when what follows from publishing fails", async () => {
    const flows = make(async () => {
      throw new Error("slug taken");
    });
    const caller = callerOf();
    await expect(flows.publish(caller, source("1.0.0"))).rejects.toThrow("slug taken");
    await expect(flows.find(caller, "orders")).rejects.toEqual(code("FLOW_NOT_FOUND"));
  });

  it("[V3] resolves latest to the highest version, whatever the order of publishing", async () => {
    const flows = make();
    const caller = callerOf();
    for (const version of ["1.9.0", "1.10.0", "1.10.0-rc.1", "1.2.0"])
      await flows.publish(caller, source(version));
    expect((await flows.resolve(caller.tenantId, "orders", "latest")).version).toBe("1.10.0");
    expect((await flows.resolve(caller.tenantId, "orders")).version).toBe("1.10.0");
    expect((await flows.resolve(caller.tenantId, "orders", "1.2.0")).version).toBe("1.2.0");
    await flows.publish(caller, source("2.0.0"));
    expect((await flows.resolve(caller.tenantId, "orders")).version).toBe("2.0.0");
    await expect(flows.resolve(caller.tenantId, "orders", "9.9.9")).rejects.toEqual(code("FLOW_NOT_FOUND"));
    await flows.publish(caller, source("9.9.9"));
    expect((await flows.resolve(caller.tenantId, "orders", "9.9.9")).version).toBe("9.9.9");
  });

  it("compiles a stored hash once, to the same order as before it was stored", async () => {
    const flows = make();
    const caller = callerOf();
    const text = `flow: order
version: 1.0.0
steps:
  zz: { use: map, with: { value: 1 } }
  b: { use: map, needs: [zz], with: { value: "{{ steps.zz.output }}" } }
  aaaa: { use: map, needs: [zz], with: { value: 2 } }
`;
    const { hash } = await flows.publish(caller, text);
    const [one, two] = await Promise.all([
      flows.compiled(caller.tenantId, hash),
      flows.compiled(caller.tenantId, hash),
    ]);
    expect(one).toBe(two);
    expect(one.steps.map(({ name }) => name)).toEqual(["zz", "aaaa", "b"]);
    expect(one.hash).toBe(hash);
  });

  it("keeps the text as it was written, and the hash of what it means", async () => {
    const flows = make();
    const caller = callerOf();
    const text = `# keep this comment\n${source("1.0.0")}`;
    const { hash } = await flows.publish(caller, text);
    const found = await flows.find(caller, "orders", "1.0.0");
    expect(found.source).toBe(text);
    expect(digestOf(found.definition)).toBe(hash);
  });

  it("hides a tenant's flows from every other tenant", async () => {
    const flows = make();
    const [mine, theirs] = [callerOf(), callerOf()];
    const { hash } = await flows.publish(mine, source("1.0.0"));
    await expect(flows.find(theirs, "orders")).rejects.toEqual(code("FLOW_NOT_FOUND"));
    await expect(flows.resolve(theirs.tenantId, "orders")).rejects.toEqual(code("FLOW_NOT_FOUND"));
    await flows.compiled(mine.tenantId, hash);
    await expect(flows.compiled(theirs.tenantId, hash)).rejects.toEqual(code("FLOW_NOT_FOUND"));
    expect((await flows.list(theirs, { limit: 10 })).items).toEqual([]);
  });

  it("lists flows in pages, newest first, with their versions from the highest", async () => {
    const flows = make();
    const caller = callerOf();
    for (const name of ["first", "second", "third"]) await flows.publish(caller, source("1.0.0", "1", name));
    await flows.publish(caller, source("1.10.0", "1", "second"));
    await flows.publish(caller, source("1.9.0", "1", "second"));
    const page = await flows.list(caller, { limit: 2 });
    expect(page.items.map(({ name, version }) => [name, version])).toEqual([
      ["third", "1.0.0"],
      ["second", "1.10.0"],
    ]);
    expect(page.items[1]?.versions).toEqual(["1.10.0", "1.9.0", "1.0.0"]);
    expect(page.more).toBe(true);
    const next = await flows.list(caller, { limit: 2, before: page.items[1]?.flowId ?? null });
    expect([next.items.map(({ name }) => name), next.more]).toEqual([["first"], false]);
  });

  it("asks for the permission to publish and to read", async () => {
    const flows = make();
    const nobody = callerOf(new Set());
    await expect(flows.publish(nobody, source("1.0.0"))).rejects.toEqual(code("AUTH_FORBIDDEN"));
    await expect(flows.list(nobody, { limit: 1 })).rejects.toEqual(code("AUTH_FORBIDDEN"));
    await expect(flows.find(nobody, "orders")).rejects.toEqual(code("AUTH_FORBIDDEN"));
  });

  it("refuses a wrong definition with all its problems, and one that is too large", async () => {
    const flows = make();
    const caller = callerOf();
    await expect(flows.publish(caller, "flow: X\nversion: 1\n")).rejects.toMatchObject({
      code: "FLOW_INVALID",
      errors: [{ code: "FIELD_REQUIRED" }, { code: "FIELD_VALUE" }, { code: "FIELD_TYPE" }],
    });
    await expect(flows.publish(caller, "#".repeat(300_000))).rejects.toEqual(code("FLOW_TOO_LARGE"));
  });

  it.each([
    ["update", sql`update flow_version set definition = '{}'::jsonb`],
    ["update of the hash", sql`update flow_version set hash = 'sha256:' || repeat('0', 64)`],
    ["delete", sql`delete from flow_version`],
  ])("[V2] is immutable in the database: %s", async (_name, statement) => {
    const flows = make();
    const caller = callerOf();
    await flows.publish(caller, source("1.0.0"));
    const change = async (database: Database) => database.tx(caller.tenantId, (tx) => tx.query(statement));
    await expect(change(db())).rejects.toThrow("a published flow version is immutable");
  });
});
