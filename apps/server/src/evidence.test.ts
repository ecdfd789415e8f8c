/** Evidence through the whole server: mappings, tags, coverage, packs, and their verification by somebody else. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PackManifest, parseSignedManifest } from "@oars/receipts";
import { openZip } from "@oars/receipts/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatId } from "#platform/kernel";
import { until } from "#testing";
import { startTestApi, type TestApi } from "./testing/api.ts";
import { type Receiver, startReceiver } from "./testing/receiver.ts";
import { zipOf } from "./testing/rezip.ts";
import { stagePolicy } from "./testing/stage.ts";

const window = { dateFrom: "2020-01-01T00:00:00.000Z", dateTo: "2100-01-01T00:00:00.000Z" };
const verifier = join(import.meta.dirname, "../../../packages/receipts/src/main.ts");

let api: TestApi;
let receiver: Receiver;
let folder: string;
let approverKey: string;
let approverId: string;
/** Of an action that was held and approved. */
let heldAction: string;

beforeAll(async () => {
  api = await startTestApi("pglite");
  receiver = await startReceiver();
  folder = await mkdtemp(join(tmpdir(), "oars-evidence-"));
  await api.ask("PUT", "/v1/connections/:name", connection(receiver.url), { name: "wms" });
  const policy = await api.ask("POST", "/v1/policies", { cedar: stagePolicy() });
  await api.ask("POST", "/v1/policies/:id/publish", undefined, { id: policy.json.id });
  const made = await api.app.access.createPrincipal(api.app.admin, {
    name: "ana",
    kind: "user",
    roles: ["approver"],
  });
  approverId = formatId("principal", made.id);
  approverKey = (await api.app.access.issueKey(api.app.admin, made.id)).key;
  for (const body of [{ n: 1 }, { n: 2 }, { deny: true }]) await propose(body);
  const held = await propose({ hold: true });
  heldAction = held.id;
  await api.ask(
    "POST",
    "/v1/approvals/:id/decision",
    { decision: "approve", reason: "known customer" },
    { id: held.approvalId, key: approverKey },
  );
  await until("the end of the action that was held", async () => {
    const action = await api.ask("GET", "/v1/actions/:id", undefined, { id: heldAction });
    return action.json.state === "completed";
  });
});

afterAll(async () => {
  await api.close();
  await receiver.close();
  await rm(folder, { recursive: true, force: true });
});

const connection = (baseUrl: string) => ({
  connector: "http",
  config: {
    baseUrl,
    idempotencyHeader: "Idempotency-Key",
    facts: [
      { name: "hold", type: "bool", path: "body.hold" },
      { name: "deny", type: "bool", path: "body.deny" },
    ],
  },
  environment: "test",
  risk: 10,
});

async function propose(body: Record<string, unknown>) {
  const input = { method: "POST", path: "/orders", body };
  return (await api.ask("POST", "/v1/actions", { connection: "wms", operation: "http.request", input })).json;
}

async function packOf(
  request: Record<string, unknown>,
): Promise<{ id: string; bytes: Uint8Array; manifest: PackManifest }> {
  const asked = await api.ask("POST", "/v1/evidence/exports", request);
  expect(asked.status, asked.text).toBe(202);
  const { id } = asked.json;
  const ready = await until("the pack", async () => {
    const { json } = await api.ask("GET", "/v1/evidence/exports/:id", undefined, { id });
    if (json.state === "failed") throw new Error(json.error);
    return json.state === "ready" && json;
  });
  const answer = await fetch(`${api.base}/v1/evidence/exports/${id}/download`, {
    headers: { authorization: `Bearer ${api.app.adminKey}` },
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  expect(bytes.length).toBe(ready.bytes);
  return { id, bytes, manifest: parseSignedManifest(ready.signature).manifest };
}

async function filesOf(bytes: Uint8Array): Promise<Map<string, Uint8Array | null>> {
  const zip = await openZip({ size: bytes.length, readAt: async (at, n) => bytes.subarray(at, at + n) });
  return new Map(await Promise.all(zip.names.map(async (name) => [name, await zip.read(name)] as const)));
}

/** By the offline verifier in a process of its own. */
async function verify(
  bytes: Uint8Array,
  more: readonly string[] = [],
): Promise<{ exit: number; out: string }> {
  const [pack, keys] = [join(folder, "pack.zip"), join(folder, "keys.json")];
  const trust = await fetch(
    `${api.base}/v1/trust/tenants/${(await api.ask("GET", "/v1/me")).json.tenantId}/keys`,
  );
  await writeFile(keys, await trust.text());
  await writeFile(pack, bytes);
  const args = ["--conditions=oars-source", verifier, "--keys", keys, ...more, pack];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      resolve({ exit: error === null ? 0 : Number(error.code), out: stdout + stderr });
    });
  });
}

const texts = (content: Uint8Array | null | undefined): string => Buffer.from(content ?? []).toString();

describe("an evidence pack", () => {
  it("[C50] of three frameworks at once is verified offline, by a process that knows the public keys alone", async () => {
    const { bytes, manifest } = await packOf({ frameworks: ["soc2", "iso_42001", "eu_ai_act"], ...window });
    const { exit, out } = await verify(bytes);
    expect(out).toContain("population");
    expect(exit, out).toBe(0);
    expect(manifest.frameworks).toEqual(["eu_ai_act", "iso_42001", "soc2"]);
    expect(manifest.population?.inWindow).toBeGreaterThan(10);
  });

  it("[W49][C48] that any file was changed in, taken from or added to is proven to be tampered with", async () => {
    const { bytes } = await packOf({ framework: "soc2", ...window });
    const files = await filesOf(bytes);
    const kinds = new Map(
      [...files.keys()].map((name) => [name.replace(/[^/]+\.tlog-proof$/, "*").replace(/\d{5}/, "*"), name]),
    );
    expect(kinds.size).toBeGreaterThan(13);
    const zip = async (changed: ReadonlyMap<string, Uint8Array | null>) => {
      const answer = await api.ask("POST", "/v1/evidence/exports/verify", {
        bundle: zipOf(changed).toString("base64"),
      });
      return [answer.json.exitCode, answer.json.errors.join("; ")] as const;
    };
    expect(await zip(files)).toEqual([0, ""]);
    for (const name of kinds.values()) {
      const content = Buffer.from(files.get(name) ?? []);
      const at = Math.floor(content.length / 2);
      content.writeUInt8(content.readUInt8(at) ^ 1, at);
      if (name === "manifest.jws") continue; // below: what is no signature cannot be read
      expect(await zip(new Map([...files, [name, content]])), `${name} changed`).toEqual([
        1,
        expect.any(String),
      ]);
      if (name === "manifest.json") continue;
      expect(await zip(new Map([...files, [name, null]])), `${name} left out`).toEqual([
        1,
        expect.any(String),
      ]);
    }
    expect(await zip(new Map([...files, ["extra.txt", Buffer.from("x")]]))).toEqual([
      1,
      "files: extra.txt is not in the manifest",
    ]);
    const [head = "", payload = "", signature = ""] = texts(files.get("manifest.jws")).split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    for (const change of [
      { window: { ...claims.window, from: "2021-01-01T00:00:00.000Z" } },
      { gaps: [] },
      { figures: { ...claims.figures, humanApprovals: 9 } },
    ]) {
      const forged = Buffer.from(JSON.stringify({ ...claims, ...change }));
      const jws = `${head}.${forged.toString("base64url")}.${signature}`;
      const result = await zip(
        new Map([...files, ["manifest.jws", Buffer.from(jws)], ["manifest.json", forged]]),
      );
      expect(result).toEqual([1, expect.stringContaining("the signature does not match the manifest")]);
    }
    const { exit, out } = await verify(zipOf(new Map([...files, ["gaps.csv", Buffer.from("none")]])));
    expect([exit, out]).toEqual([1, expect.stringContaining("gaps.csv was changed")]);
  });

  it("[W50] shows what a policy allowed by itself as a decision, and the vote of a person alone as an approval", async () => {
    const { manifest, bytes } = await packOf({ framework: "eu_ai_act", ...window });
    expect(manifest.figures).toMatchObject({ denials: 1, humanApprovals: 1, humanRejections: 0 });
    expect(manifest.figures.allows).toBeGreaterThanOrEqual(3);
    const csv = texts((await filesOf(bytes)).get("receipts/part-00001.csv")).split("\r\n");
    const votes = csv.filter((line) => line.includes(",approve,"));
    expect(votes).toHaveLength(1);
    expect(votes[0]).toContain("approval.vote");
    const oversight = manifest.coverage.find((c) => c.controlId === "Art.14");
    expect(oversight).toMatchObject({ covered: true, kinds: expect.arrayContaining(["approval_decision"]) });
  });

  it("[W51] proves that the log only grew since the pack that was delivered before", async () => {
    const first = await packOf({ framework: "soc2", ...window });
    await propose({ n: 3 });
    const second = await packOf({ framework: "soc2", ...window });
    expect(second.manifest.previous?.packId).toBe(first.id);
    const { exit, out } = await verify(second.bytes, ["--json"]);
    expect(exit, out).toBe(0);
    expect(JSON.parse(out).packs[0].checks.consistency).toMatchObject({
      status: "ok",
      detail: expect.stringContaining(first.id),
    });
  });

  it("draws the same samples for the same seed, and of a sample shows no more than was drawn", async () => {
    const request = {
      framework: "soc2",
      dateFrom: window.dateFrom,
      dateTo: new Date().toISOString(),
      mode: "sample",
      seed: "auditor-7",
      samples: 3,
      samplesPerControl: 1,
    };
    const [one, two] = [await packOf(request), await packOf({ ...request, mode: "full" })];
    const files = await filesOf(one.bytes);
    const drawn = [...files.keys()].filter((name) => name.startsWith("samples/"));
    expect(drawn.length).toBeGreaterThanOrEqual(3);
    expect(texts(files.get("receipts/part-00001.jsonl"))).not.toContain("jws");
    expect((await verify(one.bytes)).exit).toBe(0);
    expect((await verify(two.bytes)).exit).toBe(0);
    expect(one.manifest.samples).toHaveLength(3);
    expect(two.manifest.samples).toEqual(one.manifest.samples);
    expect(two.manifest.coverage).toEqual(one.manifest.coverage);
  });

  it("of an incident holds the whole chain of an action, each receipt with its own proof", async () => {
    const { bytes, manifest } = await packOf({ action: heldAction, framework: "soc2" });
    const chain = JSON.parse(texts((await filesOf(bytes)).get("chain.json")));
    expect(chain.map((c: { typ: string }) => c.typ)).toEqual(
      expect.arrayContaining([
        "action.decision",
        "approval.requested",
        "approval.vote",
        "approval.resolved",
        "execution.finished",
      ]),
    );
    expect(chain.find((c: { typ: string }) => c.typ === "approval.vote").delegation).toEqual([approverId]);
    expect(manifest.samples).toHaveLength(chain.length);
    const { exit, out } = await verify(bytes);
    expect(exit, out).toBe(0);
  });
});

describe("a control", () => {
  it("[C47] is evidenced by receipts that match its mapping, from the first one on, whenever it was mapped", async () => {
    const mapping = {
      framework: "house",
      controlId: "H1",
      controlDescription: "What was denied",
      requiredNodeTypes: ["denial"],
      receiptFilters: { policyDecisions: ["deny", " deny "], toolIds: ["wms/*", "http.*"] },
    };
    const made = await api.ask("POST", "/v1/admin/compliance/control-mappings", mapping);
    expect(made.json).toMatchObject({ version: 1, receiptFilters: { policyDecisions: ["deny"] } });
    const ids = await receiptsOf("house", "H1");
    expect(ids).toHaveLength(1);
    const wider = { ...mapping, receiptFilters: { types: ["action.decision"] } };
    await api.ask("POST", "/v1/admin/compliance/control-mappings", wider);
    const decided = await receiptsOf("house", "H1");
    expect(decided.length).toBeGreaterThan(3);
    expect(new Set(decided).size).toBe(decided.length);
    expect(await receiptsOf("house", "H1", "&decision=deny")).toEqual(ids);
    const history = await api.ask(
      "GET",
      "/v1/admin/compliance/control-mappings?framework=house&controlId=H1",
    );
    expect(history.json.items.map((m: { version: number }) => m.version)).toEqual([2, 1]);
  });

  it("[C47] that nobody mapped is not there", async () => {
    await expect(receiptsOf("soc2", "CC99")).rejects.toMatchObject({
      status: 404,
      code: "EVIDENCE_CONTROL_NOT_FOUND",
    });
    await expect(receiptsOf("nothing", "CC6.1")).rejects.toMatchObject({
      code: "EVIDENCE_CONTROL_NOT_FOUND",
    });
  });

  it("[W51][C49] counts as covered only by fresh evidence of each kind, within the window, and enough of it", async () => {
    const scan = async (more: Record<string, unknown> = {}) =>
      (await api.ask("POST", "/v1/admin/compliance/coverage/scan", { framework: "house", ...more })).json;
    const put = (controlId: string, more: Record<string, unknown>) =>
      api.ask("POST", "/v1/admin/compliance/control-mappings", {
        framework: "house",
        controlId,
        controlDescription: "a test",
        requiredNodeTypes: ["receipt"],
        ...more,
      });
    await put("fine", {});
    await put("many", { threshold: 1_000 });
    await put("kinds", { requiredNodeTypes: ["erasure", "receipt"] });
    await put("fresh", { freshnessDays: 1 });
    const now = await scan();
    const missing = now.missingControls.map((c: { controlId: string }) => c.controlId);
    expect(missing).toEqual(expect.arrayContaining(["many", "kinds"]));
    expect(missing).not.toContain("fine");
    expect(missing).not.toContain("fresh");
    expect(
      now.missingControls.find((c: { controlId: string }) => c.controlId === "kinds").missingNodeTypes,
    ).toEqual(["erasure"]);
    expect(now.coveredControls + missing.length).toBe(now.totalControls);
    const later = await scan({ dateTo: "2100-01-01T00:00:00.000Z", dateFrom: "2020-01-01T00:00:00.000Z" });
    expect(later.gaps).toContainEqual(expect.objectContaining({ controlId: "fresh", reason: "stale" }));
    const before = await scan({ dateFrom: "2020-01-01T00:00:00.000Z", dateTo: "2021-01-01T00:00:00.000Z" });
    expect(before.coveredControls).toBe(0);
  });

  it("[W51][C49] without a rule is told as a gap, so that nobody takes silence for cover", async () => {
    const { json } = await api.ask("POST", "/v1/admin/compliance/coverage/scan", { framework: "iso_27001" });
    expect(json.gaps).toContainEqual(expect.objectContaining({ controlId: "A.7.4", reason: "not_mapped" }));
  });

  it("and its frameworks are known by their own count of controls", async () => {
    const { json } = await api.ask("GET", "/v1/admin/compliance/frameworks");
    const counts = json.items.map((f: { framework: string; controls: unknown[] }) => [
      f.framework,
      f.controls.length,
    ]);
    expect(counts).toEqual([
      ["soc2", 33],
      ["iso_27001", 93],
      ["iso_42001", 38],
      ["eu_ai_act", 9],
    ]);
  });
});

/** All pages. */
async function receiptsOf(framework: string, control: string, filter = ""): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const after: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const query = `framework=${framework}&controlId=${control}&limit=5${filter}${after}`;
    const answer = await api.ask("GET", `/v1/receipts?${query}`);
    if (answer.status !== 200)
      throw Object.assign(new Error(answer.text), answer.json, { status: answer.status });
    for (const item of answer.json.items) {
      expect(item.controls).toContain(`${framework}/${control}`);
      ids.push(item.id);
    }
    cursor = answer.json.nextCursor;
  }
  return ids;
}
