/** Starts and deliveries that are answered with the end of their run, over a real socket and both databases. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sign } from "#orchestrate/triggers";
import { sql } from "#platform/db";
import { formatId, newId } from "#platform/kernel";
import { drivers } from "#testing";
import { type Answered, startTestApi, type TestApi } from "./testing/api.ts";
import { joinTestApp, startWorker } from "./testing/app.ts";
import { until } from "./testing/until.ts";

const flowOf = (name: string, version: string, webhook: string, steps: string): string => `
flow: ${name}
version: ${version}
params: { n: { type: number, default: 1 } }
triggers:
  - webhook: { slug: ${name}, auth: { hmac: { secret: "vault:hook" } }, ${webhook} }
steps:
${steps}
`;
const sync = "respond: { mode: sync, timeout: 20s }";
const double = flowOf(
  "double",
  "1.0.0",
  sync,
  `  one: { use: noop, with: { output: "{{ params.n * 2 }}" } }
  two: { use: noop, needs: [one], with: { output: { doubled: "{{ steps.one.output }}" } } }`,
);
const broken = flowOf(
  "broken",
  "1.0.0",
  sync,
  `  parse: { use: json.parse, with: { text: "the secret of {{ params.n }}" } }`,
);
const slow = flowOf(
  "slow",
  "1.0.0",
  "respond: { mode: sync, timeout: 300ms }",
  `  nap: { use: wait, with: { for: 60s } }`,
);
const nap = flowOf(
  "nap",
  "1.0.0",
  sync,
  `  nap: { use: wait, with: { for: 200ms } }
  end: { use: noop, needs: [nap], with: { output: "{{ params.n }}" } }`,
);
const secret = "the shared secret of the tests";

const signed = (id: string, body: string, key = secret): Record<string, string> => {
  const at = Math.floor(Date.now() / 1000);
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(at),
    "webhook-signature": `v1,${sign(key, id, at, Buffer.from(body))}`,
  };
};

describe.each(drivers)("answers with the end of the run on %s", (driver) => {
  let api: TestApi;
  let ask: TestApi["ask"];

  beforeAll(async () => {
    api = await startTestApi(driver, { env: { OARS_MAX_SYNC_ANSWERS: "8" } });
    ({ ask } = api);
    await ask("PUT", "/v1/secrets/:name", { value: secret }, { name: "hook" });
    for (const flow of [double, broken, slow, nap]) {
      const published = await ask("POST", "/v1/flows", flow, {}, { "content-type": "application/yaml" });
      expect(published.status, published.text).toBe(201);
    }
  });
  afterAll(() => api?.close());

  const deliver = (slug: string, body: unknown = {}, id = newId(), key = secret): Promise<Answered> => {
    const text = JSON.stringify(body);
    return ask("POST", "/api/webhook/:slug", text, { slug, key: "" }, signed(id, text, key));
  };
  const start = (flow: string, headers: Record<string, string> = {}, body: object = {}): Promise<Answered> =>
    ask("POST", "/v1/runs", { flow, ...body }, {}, headers);
  const runsOf = async (flow: string): Promise<number> => {
    const [row] = await api.app.db.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from run where flow_name = ${flow}`,
    );
    return row?.n ?? 0;
  };

  describe("a webhook", () => {
    it("is answered with the output and nothing else, and the run is durable by then", async () => {
      const answer = await deliver("double", { n: 21 });
      expect(answer).toMatchObject({ status: 200, json: { doubled: 42 } });
      const id = /^<\/v1\/runs\/(run_\w+)>; rel="via"$/.exec(answer.headers.get("link") ?? "")?.[1] ?? "";
      const run = await ask("GET", "/v1/runs/:id", undefined, { id });
      expect(run.json).toMatchObject({ status: "completed", output: { doubled: 42 } });
    });

    it("is answered once what its run waited for has come", async () => {
      expect(await deliver("nap", { n: 7 })).toMatchObject({ status: 200, json: 7 });
    });

    it("that comes again gets the answer of the first, whether it has ended or not", async () => {
      const [before, id] = [await runsOf("nap"), newId()];
      const answers = await Promise.all([deliver("nap", { n: 3 }, id), deliver("nap", { n: 3 }, id)]);
      answers.push(await deliver("nap", { n: 3 }, id));
      expect(answers.map((a) => [a.status, a.json])).toEqual([
        [200, 3],
        [200, 3],
        [200, 3],
      ]);
      expect(new Set(answers.map((a) => a.headers.get("link"))).size).toBe(1);
      expect(answers.map((a) => a.headers.get("idempotency-replayed")).filter(Boolean)).toHaveLength(2);
      expect(await runsOf("nap")).toBe(before + 1);
    });

    it("whose run failed is answered 422 with the run and the code, and no words of the run's own", async () => {
      const answer = await deliver("broken", { n: 4711 });
      expect(answer.json).toMatchObject({ status: 422, code: "RUN_FAILED", errors: [] });
      expect(answer.json.runId).toMatch(/^run_/);
      expect(answer.json.detail).toContain("JSON_");
      expect(answer.text).not.toContain("4711");
      expect((await ask("GET", "/v1/runs/:id", undefined, { id: answer.json.runId })).json.status).toBe(
        "failed",
      );
    });

    it("is answered 202 with the run's place past its time, and the run goes on", async () => {
      const answer = await deliver("slow");
      expect(answer).toMatchObject({ status: 202, json: { duplicate: false } });
      expect(answer.headers.get("location")).toBe(`/v1/runs/${answer.json.runId}`);
      const run = await ask("GET", "/v1/runs/:id", undefined, { id: answer.json.runId });
      expect(run.json.status).toBe("waiting");
    });

    it("is refused with 503 and a time to wait while too many wait, and starts nothing then", async () => {
      const earlier = await runsOf("slow");
      const waiting = Array.from({ length: 8 }, () => start("slow", { prefer: "wait=30" }));
      await until("all of them wait", () => api.app.runs.answering() === 8);
      const before = await runsOf("double");
      const refused = await deliver("double");
      expect(refused.json).toMatchObject({ status: 503, code: "SERVER_BUSY" });
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await runsOf("double")).toBe(before);
      const parked = await until("all of them are parked", async () => {
        const { items } = (await ask("GET", "/v1/runs?flow=slow&status=waiting")).json;
        return items.length === earlier + 8 && items;
      });
      for (const { id } of parked) {
        const aborted = await ask("POST", "/v1/runs/:id/abort", { reason: "enough" }, { id });
        expect(aborted.status, aborted.text).toBe(200);
      }
      const ended = await Promise.all(waiting);
      expect(new Set(ended.map((a) => `${a.status} ${a.json.code}`))).toEqual(new Set(["409 RUN_ABORTED"]));
      expect(api.app.runs.answering()).toBe(0);
    });

    it("of another tenant with the same slug gets the answer of its own flow", async () => {
      const other = await api.app.access.createTenant(api.app.admin, "Other tenant");
      const as = (method: string, pattern: string, body: unknown, filling = {}, headers = {}) =>
        ask(method, pattern, body, { ...filling, key: other.apiKey }, headers);
      await as("PUT", "/v1/secrets/:name", { value: "their own secret" }, { name: "hook" });
      const theirs = double.replace("params.n * 2", "params.n * -2");
      await as("POST", "/v1/flows", theirs, {}, { "content-type": "application/yaml" });
      const id = newId();
      expect((await deliver("double", { n: 5 }, id, "their own secret")).json).toEqual({ doubled: -10 });
      expect((await deliver("double", { n: 5 }, id)).json).toEqual({ doubled: 10 });
    });
  });

  describe("a start", () => {
    it("that asks for it is answered with the run and its output", async () => {
      const answer = await start("double", {}, { params: { n: 4 }, respond: "sync" });
      expect(answer).toMatchObject({
        status: 200,
        json: { status: "completed", output: { doubled: 8 }, trigger: null },
      });
      const preferred = await start("double", { prefer: "respond-async, wait=5" });
      expect(preferred.status).toBe(200);
      expect(preferred.headers.get("preference-applied")).toBe("wait=5");
    });

    it("is answered 202 with the run's place when it does not ask, or when the time is over", async () => {
      for (const headers of [{}, { prefer: "wait=0" }, { prefer: "wait=soon" }, { prefer: "wait=1" }]) {
        const answer = await start("slow", headers as Record<string, string>);
        expect(answer.status).toBe(202);
        expect(answer.headers.get("location")).toBe(`/v1/runs/${answer.json.id}`);
      }
    });

    it("waits a minute at most, whatever it asks for", async () => {
      const answer = await start("double", { prefer: "wait=86400" });
      expect(answer.headers.get("preference-applied")).toBe("wait=60");
    });

    it("whose run failed is answered 422 with what failed", async () => {
      const answer = await start("broken", {}, { respond: "sync" });
      expect(answer.json).toMatchObject({ status: 422, code: "RUN_FAILED", errors: [{ path: "" }] });
      expect(answer.json.errors[0].code).toMatch(/^JSON_/);
    });

    it("under a key that was used waits for the first run's end", async () => {
      const headers = { "idempotency-key": newId(), prefer: "wait=20" };
      const [one, two] = await Promise.all([start("nap", headers), start("nap", headers)]);
      expect([one.status, two.status]).toEqual([200, 200]);
      expect(one.json.id).toBe(two.json.id);
      expect((await start("nap", headers)).json).toMatchObject({ id: one.json.id, output: 1 });
    });

    it("with parameters that do not fit waits for nothing", async () => {
      const answer = await start("double", { prefer: "wait=20" }, { params: { n: "x" } });
      expect(answer.json).toMatchObject({ status: 422, code: "RUN_PARAMS_INVALID" });
      expect(api.app.runs.answering()).toBe(0);
    });
  });

  it("a sender that goes away stops waiting, and its run goes on", async () => {
    const { port } = new URL(api.base);
    const socket = connect(Number(port), "127.0.0.1");
    const body = JSON.stringify({ flow: "slow" });
    const before = await runsOf("slow");
    socket.write(
      `POST /v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.app.adminKey}\r\nprefer: wait=60\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await until("it waits", async () => api.app.runs.answering() === 1 && (await runsOf("slow")) > before);
    socket.destroy();
    await until("nobody waits", () => api.app.runs.answering() === 0, 5_000);
    const { json } = await ask("GET", "/v1/runs?flow=slow&limit=1");
    expect(json.items[0].status).toBe("waiting");
  });

  it("a newer version that gives a slug up has it answer 410 from then on, and another flow may take it", async () => {
    const hooked = (name: string, version: string, slug: string) =>
      flowOf(name, version, sync, "  one: { use: noop }").replace(`slug: ${name}`, `slug: ${slug}`);
    const publish = (flow: string) =>
      ask("POST", "/v1/flows", flow, {}, { "content-type": "application/yaml" });
    await publish(hooked("mover", "1.0.0", "old-place"));
    expect((await deliver("old-place")).status).toBe(200);
    await publish(hooked("mover", "1.1.0", "new-place"));
    expect((await deliver("old-place")).json).toMatchObject({ status: 410, code: "WEBHOOK_GONE" });
    expect((await deliver("new-place")).status).toBe(200);
    const { json } = await ask("GET", "/v1/webhooks");
    expect(json.items.map((w: { slug: string }) => w.slug)).not.toContain("old-place");
    expect((await publish(hooked("squatter", "1.0.0", "new-place"))).json).toMatchObject({
      code: "WEBHOOK_SLUG_TAKEN",
    });
    await publish(hooked("heir", "1.0.0", "old-place"));
    expect((await deliver("old-place")).status).toBe(200);
  });

  it("a run that another process drives is answered when it ends there", async () => {
    // a process whose engine was never started drives nothing
    const elsewhere = await joinTestApp(api.opened.database);
    const version = await elsewhere.flows.resolve(api.app.admin.tenantId, "double");
    const flow = await elsewhere.flows.compiled(api.app.admin.tenantId, version.hash);
    const { tenantId, principalId } = api.app.admin;
    const begun = { tenantId, principalId, flow, params: { n: 6 }, trigger: {}, startKey: null };
    const worker = driver === "postgres" ? await startWorker(api.opened) : null;
    if (worker) await worker.app.start();
    try {
      const answer = await elsewhere.runs.answerTriggered(begun, { withinMs: 20_000 });
      expect(answer).toMatchObject({
        duplicate: false,
        end: { status: "completed", output: { doubled: 12 } },
      });
      expect(formatId("run", answer.runId)).toMatch(/^run_/);
    } finally {
      await worker?.stop();
    }
  });
});
