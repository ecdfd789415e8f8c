/** How packs come to be: makers that die, months, permissions, hostile archives, the OSCAL document. */
import { createWebCrypto, readZip, verifyPack, webUnpack } from "@oars/receipts";
import { openZip } from "@oars/receipts/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { formatId } from "#platform/kernel";
import { until } from "#testing";
import { openStage, type Stage } from "./testing/stage.ts";

const all = { from: new Date("2020-01-01T00:00:00Z"), to: new Date("2100-01-01T00:00:00Z") };

describe("an evidence pack on PostgreSQL", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage("postgres");
    await stage.app.actions.submit(stage.admin, {
      connection: "wms",
      operation: "http.request",
      input: { method: "POST", path: "/orders", body: { n: 1 } },
    });
  });
  afterAll(() => stage.close());

  const ready = (id: string) =>
    until("the pack", async () => {
      const pack = await stage.app.evidence.packs.find(stage.admin, id);
      if (pack.state === "failed") throw new Error(pack.error ?? "");
      return pack.state === "ready" && pack;
    });
  const bytesOf = async (id: string): Promise<Buffer> => {
    const { body } = await stage.app.evidence.packs.download(stage.admin, id);
    const parts: Buffer[] = [];
    for await (const part of body) parts.push(part);
    return Buffer.concat(parts);
  };

  it("whose maker died in the middle is made by another one, and nothing of the dead one's is in it", async () => {
    const { app, admin } = stage;
    const { id } = await app.evidence.packs.create(admin, { frameworks: ["soc2"], ...all });
    const first = await ready(id);
    const junk = Buffer.alloc(512 * 1024, 7);
    await app.db.system.tx(async (tx) => {
      await tx.query(sql`update evidence_pack set state = 'building', lease_until = now() - interval '1 second',
        bytes = null, manifest = null, finished_at = null where id = ${id}`);
      await tx.query(sql`update evidence_chunk set body = ${junk} where pack_id = ${id}`);
    });
    await app.evidence.tend();
    const second = await ready(id);
    expect(second.turn).toBe(first.turn + 1);
    expect(await app.evidence.packs.verifyStored(admin, id)).toMatchObject({ verdict: "verified" });
    const turns = await app.db.system.query(
      sql`select distinct turn from evidence_chunk where pack_id = ${id}`,
    );
    expect(turns).toEqual([{ turn: second.turn }]);
  });

  it("is not made by two at once: who lost the lease writes nothing more", async () => {
    const { app, admin } = stage;
    const { id } = await app.evidence.packs.create(admin, { frameworks: ["soc2"], ...all });
    await app.db.system.query(
      sql`update evidence_pack set turn = turn + 1 where id = ${id} and state = 'building'`,
    );
    await app.evidence.tend();
    await until("the end of it", async () => {
      await app.db.system.query(sql`update evidence_pack set lease_until = now() - interval '1 second'
        where id = ${id} and state = 'building' and turn > 1 and done = 0`);
      await app.evidence.tend();
      return (await app.evidence.packs.find(admin, id)).state === "ready";
    });
    expect(await app.evidence.packs.verifyStored(admin, id)).toMatchObject({ verdict: "verified" });
  });

  it("of each month is asked for once, of the month before", async () => {
    const { app, admin } = stage;
    await app.evidence.schedules.set(admin, "eu_ai_act");
    await Promise.all([app.evidence.tend(), app.evidence.tend()]);
    await app.evidence.tend();
    const monthly = await app.evidence.packs.list(
      admin,
      { kind: "monthly" },
      { limit: 10, before: undefined },
    );
    expect(monthly).toHaveLength(1);
    const [pack] = monthly;
    expect(pack?.to.getUTCDate()).toBe(1);
    expect(pack?.to.getTime()).toBeLessThanOrEqual(Date.now());
    expect((await ready(pack?.id ?? "")).requestedBy).toBeNull();
    await app.evidence.schedules.remove(admin, "eu_ai_act");
    await expect(app.evidence.schedules.remove(admin, "eu_ai_act")).rejects.toMatchObject({
      code: "EVIDENCE_SCHEDULE_NOT_FOUND",
    });
  });

  it("is for those who may, and whoever asked for it is in the log", async () => {
    const { app, admin } = stage;
    const [member, auditor] = [await stage.caller("mia", ["member"]), await stage.caller("aud", ["auditor"])];
    const request = { frameworks: ["soc2"], ...all };
    await expect(app.evidence.packs.create(member, request)).rejects.toMatchObject({
      code: "AUTH_FORBIDDEN",
    });
    await expect(app.evidence.schedules.set(auditor, "soc2")).rejects.toMatchObject({
      code: "AUTH_FORBIDDEN",
    });
    const { id } = await app.evidence.packs.create(auditor, request);
    await ready(id);
    const { items } = await app.receipts.list(admin.tenantId, { type: "export.created" }, { limit: 50 });
    const own = items.filter((r) =>
      atob(r.jws.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "").includes(
        formatId("evidence", id),
      ),
    );
    expect(own.map((r) => r.principalId).sort()).toEqual([auditor.principalId, null].sort());
    await expect(app.evidence.packs.create(auditor, { frameworks: ["sox"], ...all })).rejects.toMatchObject({
      code: "EVIDENCE_FRAMEWORK_UNKNOWN",
    });
  });

  it("is verified with what browsers have, as the page /verify does it", async () => {
    const { app, admin } = stage;
    const { id } = await app.evidence.packs.create(admin, { frameworks: ["soc2"], ...all });
    await ready(id);
    const bytes = await bytesOf(id);
    const trust = [await app.receipts.trust(admin.tenantId)];
    const verdictOf = async (content: Buffer) => {
      const readAt = async (at: number, length: number) => content.subarray(at, at + length);
      const zip = await readZip({ size: content.length, readAt }, webUnpack);
      return (await verifyPack(zip, trust, createWebCrypto())).verdict;
    };
    expect(await verdictOf(bytes)).toBe("verified");
    const changed = Buffer.from(bytes);
    const at = changed.indexOf("receipts/") + 60; // inside of the first file of receipts
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(await verdictOf(changed)).toBe("tampered");
  });

  it("that is no archive is refused, and one of another tenant cannot be decided", async () => {
    const { app, admin } = stage;
    for (const junk of [Buffer.from(""), Buffer.from("PK"), Buffer.alloc(4_000, 0x50)])
      await expect(app.evidence.packs.verifyBytes(admin, junk)).rejects.toMatchObject({
        code: "EVIDENCE_UNREADABLE",
      });
    const { id } = await app.evidence.packs.create(admin, { frameworks: ["soc2"], ...all });
    await ready(id);
    const made = await app.access.createTenant(admin, "Another tenant");
    const other = await app.access.authenticate(`Bearer ${made.apiKey}`);
    const report = await app.evidence.packs.verifyBytes(other, await bytesOf(id));
    expect(report.verdict).toBe("undecidable");
    expect(report.checks.manifest.detail).toContain("not among the trust keys");
  });

  it("carries assessment results in the form of OSCAL 1.1.2", async () => {
    const { app, admin } = stage;
    const { id } = await app.evidence.packs.create(admin, { frameworks: ["soc2", "eu_ai_act"], ...all });
    await ready(id);
    const bytes = await bytesOf(id);
    const zip = await openZip({ size: bytes.length, readAt: async (at, n) => bytes.subarray(at, at + n) });
    const document = JSON.parse(Buffer.from(await zip.read("oscal-assessment-results.json")).toString());
    expect(oscalProblems(document)).toEqual([]);
    expect(document["assessment-results"].results).toHaveLength(2);
    expect(oscalProblems({ "assessment-results": { results: [] } }).length).toBeGreaterThan(3);
  });
});

const uuid = /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[45][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$/;
const token = /^[\p{L}_][\p{L}\p{N}.\-_]*$/u;
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

// biome-ignore lint/suspicious/noExplicitAny: a document whose form is what is checked
type Any = any;

/** What the published schema of assessment results demands of the members that we write; members it has not are problems. */
function oscalProblems(document: Any): string[] {
  const problems: string[] = [];
  const uuids = new Set<string>();
  const check = (place: string, fits: boolean): void => void (fits || problems.push(place));
  const only = (
    place: string,
    value: Any,
    required: readonly string[],
    optional: readonly string[] = [],
  ): void => {
    for (const name of required) check(`${place}/${name} is missing`, value?.[name] !== undefined);
    for (const name of Object.keys(value ?? {}))
      check(`${place}/${name} is not known`, required.includes(name) || optional.includes(name));
    if (required.includes("uuid")) {
      check(`${place}/uuid`, uuid.test(value?.uuid) && !uuids.has(value?.uuid));
      uuids.add(value?.uuid);
    }
  };
  only("", document, ["assessment-results"]);
  const root = document["assessment-results"];
  only("root", root, ["uuid", "metadata", "import-ap", "results"]);
  only("metadata", root?.metadata, ["title", "last-modified", "version", "oscal-version"]);
  check("last-modified", instant.test(root?.metadata?.["last-modified"]));
  only("import-ap", root?.["import-ap"], ["href"]);
  check("results", root?.results?.length > 0);
  for (const result of root?.results ?? []) {
    only(
      "result",
      result,
      ["uuid", "title", "description", "start", "reviewed-controls"],
      ["end", "observations", "findings"],
    );
    check("start and end", instant.test(result.start) && instant.test(result.end));
    const selections = result["reviewed-controls"]?.["control-selections"] ?? [];
    check("control-selections", selections.length > 0);
    for (const { "control-id": id } of selections.flatMap((s: Any) => s["include-controls"] ?? []))
      check(`control-id ${id}`, token.test(id));
    const observed = new Set((result.observations ?? []).map((o: Any) => o.uuid));
    for (const o of result.observations ?? []) {
      only("observation", o, ["uuid", "description", "methods", "collected"], ["relevant-evidence"]);
      check(
        "methods",
        o.methods.every((m: string) => ["EXAMINE", "INTERVIEW", "TEST", "UNKNOWN"].includes(m)),
      );
      for (const e of o["relevant-evidence"] ?? []) only("relevant-evidence", e, ["description"], ["href"]);
    }
    for (const f of result.findings ?? []) {
      only("finding", f, ["uuid", "title", "description", "target"], ["related-observations"]);
      only("target", f.target, ["type", "target-id", "status"]);
      check(
        "target",
        ["statement-id", "objective-id"].includes(f.target.type) && token.test(f.target["target-id"]),
      );
      check("state", ["satisfied", "not-satisfied"].includes(f.target.status.state));
      for (const r of f["related-observations"] ?? []) check("related", observed.has(r["observation-uuid"]));
    }
  }
  return problems;
}
