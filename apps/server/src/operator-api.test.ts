/** Operators and approvers over HTTP: every answer is held against the document. */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "#platform/kernel";
import { drivers } from "#testing";
import { type Answered, startTestApi, type TestApi } from "./testing/api.ts";
import { until } from "./testing/until.ts";

const cedar = `@id("all") permit (principal, action, resource);`;
const reason = "the other side is well again";
let flows = 0;

describe.each(drivers)("operating runs over HTTP on %s", (driver) => {
  let api: TestApi;
  let ask: TestApi["ask"];
  let outside: Server;
  let status = 200;
  let approverKey: string;
  let strangerKey: string;
  beforeAll(async () => {
    api = await startTestApi(driver);
    ({ ask } = api);
    outside = createServer((_req, res) =>
      res.writeHead(status, { "content-type": "application/json" }).end('{"n":1}'),
    );
    await new Promise<void>((done) => outside.listen(0, "127.0.0.1", done));
    const address = outside.address();
    const baseUrl = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
    await ask("PUT", "/v1/connections/:name", { connector: "http", config: { baseUrl } }, { name: "wms" });
    const { json } = await ask("POST", "/v1/policies", { cedar });
    await ask("POST", "/v1/policies/:id/publish", {}, { id: json.id });
    const ana = await ask("POST", "/v1/principals", { name: "ana", kind: "user", roles: ["approver"] });
    approverKey = (await ask("POST", "/v1/principals/:id/keys", {}, { id: ana.json.id })).json.key;
    strangerKey = (await api.app.access.createTenant(api.app.admin, "Other")).apiKey;
  });
  afterAll(async () => {
    outside?.close();
    await api?.close();
  });

  const show = (id: string) => ask("GET", "/v1/runs/:id", undefined, { id });
  const reach = (id: string, ...wanted: string[]): Promise<Answered> =>
    until(`run ${wanted.join(" or ")}`, async () => {
      const found = await show(id);
      return wanted.includes(found.json.status) && found;
    });
  const start = async (
    steps: Record<string, unknown>,
    more: Record<string, unknown> = {},
  ): Promise<string> => {
    const flow = `served-${++flows}`;
    const published = await ask("POST", "/v1/flows", { flow, version: "1.0.0", steps, ...more });
    expect(published.status, published.text).toBe(201);
    return (await ask("POST", "/v1/runs", { flow, params: {} })).json.id;
  };
  const send = (more: Record<string, unknown> = {}) => ({
    use: "http.request",
    with: { connection: "wms", method: "POST", path: "/x", body: {} },
    ...more,
  });
  const failed = async (more: Record<string, unknown> = {}): Promise<string> => {
    status = 422;
    const id = await start({ a: send(more), b: { use: "noop", needs: ["a"] } });
    await reach(id, "failed");
    status = 200;
    return id;
  };

  it("retries under a condition, once for a key, and says how the run stands to whoever comes too late", async () => {
    const id = await failed();
    const seen = await show(id);
    const etag = seen.headers.get("etag") ?? "";
    expect(etag).toBe(`"${seen.json.etag}"`);
    const once = { "idempotency-key": newId(), "if-match": etag };
    const first = await ask("POST", "/v1/runs/:id/retry", { reason }, { id }, once);
    expect(first).toMatchObject({ status: 200, json: { id, status: "queued" } });
    expect(first.headers.get("etag")).not.toBe(etag);
    const replayed = await ask("POST", "/v1/runs/:id/retry", { reason }, { id }, once);
    expect(replayed.headers.get("idempotency-replayed")).toBe("true");
    const late = await ask("POST", "/v1/runs/:id/retry", { reason }, { id }, { "if-match": etag });
    expect(late).toMatchObject({
      status: 412,
      json: { code: "PRECONDITION_FAILED", current: { etag: expect.any(String) } },
    });
    await reach(id, "completed");
    const over = await ask("POST", "/v1/runs/:id/retry", { reason }, { id });
    expect(over).toMatchObject({
      status: 409,
      json: { code: "RUN_ENDED", runId: id, current: { status: "completed" } },
    });
  });

  it.each([
    ['"a", "b"', 412],
    ['W/"a"', 412],
    ["nonsense", 400],
    ['"a', 400],
    ["*, *", 400],
    ["", 400],
  ])("reads If-Match %j as RFC 9110 says", async (header, expected) => {
    const id = await failed();
    const answer = await ask("POST", "/v1/runs/:id/retry", { reason }, { id }, { "if-match": header });
    expect(answer.status).toBe(expected);
    const star = await ask("POST", "/v1/runs/:id/retry", { reason }, { id }, { "if-match": "*" });
    expect(star.status).toBe(200);
  });

  it("refuses what is no request of the command, all at once", async () => {
    const id = await failed();
    for (const body of [
      {},
      { reason: "x" },
      { reason, delaySeconds: 601 },
      { reason, delaySeconds: -1 },
      { reason, delaySeconds: 1.5 },
      { reason, edits: { a: 1 } },
      { reason, edits: [], step: "a" },
      { reason, step: "1 bad" },
      { reason, unknown: 1 },
      { reason, note: "both spellings of it" },
    ]) {
      const answer = await ask("POST", "/v1/runs/:id/retry", body, { id });
      expect(answer, JSON.stringify(body)).toMatchObject({ status: 400, json: { code: "REQUEST_INVALID" } });
    }
    expect((await ask("POST", "/v1/runs/:id/retry", { reason, step: "zz" }, { id })).json).toMatchObject({
      status: 404,
      code: "STEP_NOT_FOUND",
    });
    expect((await show(id)).json.status).toBe("failed");
  });

  it("skips, edits, pauses, resumes and aborts; reads the seed's paths and names", async () => {
    const id = await failed({ skippable: true });
    const { json } = await ask("POST", "/v1/runs/:id/skip", { reason, step: "a", output: 7 }, { id });
    expect(json).toMatchObject({ status: "queued" });
    await reach(id, "completed");
    const refused = await failed();
    expect(
      (await ask("POST", "/v1/runs/:id/skip", { reason, step: "a" }, { id: refused })).json,
    ).toMatchObject({
      status: 409,
      code: "STEP_NOT_SKIPPABLE",
    });
    const seed = await fetch(`${api.base}/api/orchestrations/${refused}/actions/retry`, {
      method: "POST",
      headers: { authorization: `Bearer ${api.app.adminKey}`, "content-type": "application/json" },
      body: JSON.stringify({ note: reason, step: "a", modifications: { body: { b: 1 } }, delaySeconds: 0 }),
    });
    expect(seed.status).toBe(200);
    await reach(refused, "completed");

    const long = await start({
      a: { use: "noop", durable: true, with: { output: 1 } },
      w: { use: "wait", with: { for: "1h" } },
      b: { use: "noop", needs: ["a", "w"] },
    });
    await reach(long, "waiting");
    const edited = await ask(
      "POST",
      "/v1/runs/:id/edit-output",
      { reason, step: "a", output: [2] },
      { id: long },
    );
    expect(edited.status).toBe(200);
    expect((await show(long)).json.steps[0]).toMatchObject({
      output: [2],
      operator: { command: "edit-output", reason },
    });
    expect((await ask("POST", "/v1/runs/:id/pause", { reason }, { id: long })).json.pausedAt).toMatch(/Z$/);
    expect((await ask("POST", "/v1/runs/:id/pause", { reason }, { id: long })).json.code).toBe(
      "RUN_STATE_CONFLICT",
    );
    expect((await ask("POST", "/v1/runs/:id/resume", { reason }, { id: long })).json.pausedAt).toBeNull();
    expect((await ask("POST", "/v1/runs/:id/abort", { note: reason }, { id: long })).json.status).toBe(
      "aborted",
    );
  });

  it("repeats runs: 202 with the place of the new one, and the same one again for the same key", async () => {
    const id = await failed();
    const once = { "idempotency-key": newId() };
    const first = await ask("POST", "/v1/runs/:id/rerun", { reason, from: "a" }, { id }, once);
    expect(first).toMatchObject({ status: 202, json: { origin: id } });
    expect(first.headers.get("location")).toBe(`/v1/runs/${first.json.id}`);
    const again = await ask("POST", "/v1/runs/:id/rerun", { reason, from: "a" }, { id }, once);
    expect(again.json.id).toBe(first.json.id);
    const replay = await ask("POST", "/v1/runs/:id/replay", { reason, labels: { try: "3" } }, { id });
    expect(replay).toMatchObject({ status: 202, json: { origin: id, labels: { try: "3" } } });
    for (const each of [first, replay]) await reach(each.json.id, "completed");
    const list = await ask("GET", `/v1/runs?origin=${id}`);
    expect(list.json.items.map((r: { id: string }) => r.id).sort()).toEqual(
      [first.json.id, replay.json.id].sort(),
    );
  });

  it("shows where a run is, and what another one like it would begin with", async () => {
    const id = await start(
      {
        sum: { use: "noop", with: { output: { total: 3 } } },
        ask: { use: "noop", needs: ["sum"], with: { output: 4 }, gate: { question: "Go on?" } },
        end: { use: "noop", needs: ["ask"] },
      },
      { params: { n: { type: "integer", default: 5 } } },
    );
    await reach(id, "waiting");
    const glance = await ask("GET", "/v1/runs/:id/status", undefined, { id });
    expect(glance.json).toMatchObject({
      run: { id, status: "waiting" },
      currentSteps: [{ name: "ask", status: "waiting" }],
      pendingGates: [{ runId: id, step: "ask" }],
      progress: { total: 3, completed: 1 },
    });
    expect(glance.headers.get("etag")).toBe(`"${glance.json.run.etag}"`);
    expect(glance.json.steps.filter((step: object) => "output" in step)).toEqual([]);
    const seed = await fetch(`${api.base}/api/orchestrations/${id}/replay`, {
      headers: { authorization: `Bearer ${api.app.adminKey}` },
    });
    expect(await seed.json()).toMatchObject({
      run: { id },
      params: { n: 5 },
      plan: [{ name: "sum" }, { name: "ask" }, { name: "end" }],
      results: { sum: { total: 3 } },
      origin: null,
    });
    const foreign = await ask("GET", "/v1/runs/:id/replay", undefined, { id, key: strangerKey });
    expect(foreign).toMatchObject({ status: 404, json: { code: "RUN_NOT_FOUND" } });
  });

  it("answers gates once, as somebody with the role", async () => {
    const id = await start({
      sum: { use: "noop", with: { output: { total: 3 } }, gate: { question: "Book {{ output.total }}?" } },
    });
    const open = await until("the gate", async () => {
      const { json } = await ask("GET", `/v1/gates?status=open&run=${id}`);
      return json.items[0];
    });
    expect(open).toMatchObject({ runId: id, step: "sum", item: null, question: "Book 3?" });
    expect(open).not.toHaveProperty("output");
    expect((await ask("GET", "/v1/gates/:id", undefined, { id: open.id })).json.output).toEqual({ total: 3 });
    expect((await show(id)).json.gates).toMatchObject([{ id: open.id }]);
    const answer = (body: unknown, key = approverKey) =>
      ask("POST", "/v1/gates/:id/answer", body, { id: open.id, key });
    expect((await answer({ decision: "continue" }, api.app.adminKey)).json).toMatchObject({
      status: 403,
      code: "GATE_REQUESTER",
    });
    expect((await answer({ decision: "continue" }, strangerKey)).json).toMatchObject({
      status: 404,
      code: "GATE_NOT_FOUND",
    });
    for (const body of [
      { decision: "maybe" },
      { decision: "continue", edits: {} },
      { decision: "abort", output: 1 },
      {},
    ])
      expect((await answer(body)).json.code).toBe("REQUEST_INVALID");
    expect(await answer({ decision: "continue", output: { total: 2 }, notes: "rebate" })).toMatchObject({
      status: 200,
      json: { status: "answered", decision: "continue", editedOutput: { total: 2 }, note: "rebate" },
    });
    expect(await answer({ decision: "abort" })).toMatchObject({
      status: 409,
      json: { code: "GATE_CLOSED", current: { decision: "continue" } },
    });
    expect((await reach(id, "completed")).json.output).toEqual({ total: 2 });
    expect((await ask("GET", "/v1/gates/:id", undefined, { id: "gat_nothing" })).json.code).toBe(
      "GATE_NOT_FOUND",
    );
  });

  it("takes signals, lists them, and refuses what nobody waits for", async () => {
    const schema = { type: "object", required: ["amount"] };
    const id = await start({ paid: { use: "wait", with: { signal: "paid", schema } } });
    await reach(id, "waiting");
    const signal = (body: unknown, key = api.app.adminKey) =>
      ask("POST", "/v1/runs/:id/signals", body, { id, key });
    expect((await signal({ name: "payed", payload: 1 })).json).toMatchObject({
      status: 422,
      code: "SIGNAL_UNKNOWN",
    });
    expect((await signal({ name: "paid", payload: {} })).json).toMatchObject({
      status: 422,
      code: "SIGNAL_INVALID",
    });
    expect((await signal({ name: "no spaces" })).json).toMatchObject({ status: 400 });
    expect((await signal({ name: "paid", payload: { amount: "\u0000" } })).json).toMatchObject({
      code: "REQUEST_INVALID",
    });
    expect((await signal({ name: "paid", payload: { amount: 1 } }, strangerKey)).json.code).toBe(
      "RUN_NOT_FOUND",
    );
    const sent = await signal({ name: "paid", payload: { amount: 1 } });
    expect(sent).toMatchObject({
      status: 201,
      json: { id: expect.stringMatching(/^sig_/), deliveredAt: null },
    });
    await reach(id, "completed");
    const list = await ask("GET", "/v1/runs/:id/signals", undefined, { id });
    expect(list.json.items).toMatchObject([{ id: sent.json.id, step: "paid" }]);
    expect((await signal({ name: "paid", payload: { amount: 1 } })).json).toMatchObject({
      status: 409,
      code: "RUN_ENDED",
    });
  });

  it("operates many runs at once, page by page, dry or not", async () => {
    const ids = [await failed(), await failed(), await failed()];
    const flow = (await show(ids[0] ?? "")).json.flow as string;
    const filter = { status: "failed", search: "served-" };
    const dry = await ask("POST", "/v1/runs/bulk", { command: "retry", filter, reason, dryRun: true });
    expect(dry.json).toMatchObject({ dryRun: true, outcomes: { ok: expect.any(Number) } });
    const one = await ask("POST", "/v1/runs/bulk", { command: "retry", filter, reason, limit: 1 });
    expect(one.json).toMatchObject({ matched: 1, outcomes: { ok: 1 } });
    const rest = await ask("POST", "/v1/runs/bulk", {
      command: "retry",
      filter,
      reason,
      cursor: one.json.nextCursor,
    });
    expect(rest.json.nextCursor).toBeNull();
    for (const id of ids) await reach(id, "completed");
    for (const body of [
      { command: "retry", filter: {}, reason },
      { command: "dance", filter, reason },
      { command: "retry", filter, reason, limit: 1001 },
      { command: "abort", filter, reason, step: "a" },
      { command: "abort", filter: { label: "novalue" }, reason },
      { command: "abort", filter: { startedAfter: "yesterday" }, reason },
    ])
      expect((await ask("POST", "/v1/runs/bulk", body)).json.code, JSON.stringify(body)).toBe(
        "REQUEST_INVALID",
      );
    expect(
      (
        await ask(
          "POST",
          "/v1/runs/bulk",
          { command: "abort", filter: { flow }, reason },
          { key: strangerKey },
        )
      ).json.matched,
    ).toBe(0);
    expect(
      (
        await ask(
          "POST",
          "/v1/runs/bulk",
          { command: "abort", filter: { flow }, reason },
          { key: approverKey },
        )
      ).json,
    ).toMatchObject({
      status: 403,
      code: "AUTH_FORBIDDEN",
    });
  });

  it("finds runs by what they have in common, with any characters", async () => {
    const flow = `served-${++flows}`;
    await ask("POST", "/v1/flows", { flow, version: "1.0.0", steps: { a: { use: "noop" } } });
    const note = `50% "off", O'Brien_`;
    const { json } = await ask("POST", "/v1/runs", { flow, params: {}, labels: { note, shop: "eu" } });
    const found = async (query: Record<string, string> | [string, string][]) =>
      (await ask("GET", `/v1/runs?${new URLSearchParams(query)}`)).json.items?.map(
        (r: { id: string }) => r.id,
      );
    expect(await found({ search: note })).toEqual([json.id]);
    expect(await found({ search: json.id })).toEqual([json.id]);
    expect(await found({ search: '50_ "off"' })).toEqual([]);
    expect(
      await found([
        ["label", `note=${note}`],
        ["label", "shop=eu"],
      ]),
    ).toEqual([json.id]);
    expect(
      await found([
        ["label", "shop=eu"],
        ["label", "shop=us"],
      ]),
    ).toEqual([]);
    expect(
      await found({ flow, startedAfter: "2020-01-01T00:00:00Z", startedBefore: "2999-01-01T00:00:00Z" }),
    ).toEqual([json.id]);
    for (const query of [
      { search: "a\u0000b" },
      { search: "" },
      { label: "novalue" },
      { label: "a=\u0000" },
      { startedAfter: "now" },
      { parent: "run_x" },
    ])
      expect(
        (await ask("GET", `/v1/runs?${new URLSearchParams(query as Record<string, string>)}`)).json.code,
        JSON.stringify(query),
      ).toBe("REQUEST_INVALID");
  });

  it("gives the items of a step page by page", async () => {
    const id = await start({
      each: { use: "noop", forEach: { items: [1, 2, 3] }, with: { output: "{{ item * 2 }}" } },
    });
    await reach(id, "completed");
    const page = (query = "") =>
      ask("GET", `/v1/runs/:id/steps/:step/items${query}`, undefined, { id, step: "each" });
    const first = await page("?limit=2");
    expect(first.json.items).toMatchObject([
      { index: 0, output: 2 },
      { index: 1, output: 4 },
    ]);
    const last = await page(`?limit=2&cursor=${first.json.nextCursor}`);
    expect(last.json).toMatchObject({ items: [{ index: 2, output: 6 }], nextCursor: null });
    const wrong = await ask("GET", "/v1/runs/:id/steps/:step/items", undefined, { id, step: "none" });
    expect(wrong.json).toMatchObject({ status: 404, code: "STEP_NOT_FOUND" });
  });

  it("shows a stranger nothing of a run, whatever is asked of it", async () => {
    const id = await failed();
    const commands = ["retry", "skip", "abort", "pause", "resume", "replay"].map(
      (c) => [c, { reason }] as const,
    );
    const all = [
      ...commands,
      ["rerun", { reason, from: "a" }] as const,
      ["edit-output", { reason, step: "a", output: 1 }] as const,
    ];
    for (const [command, body] of all) {
      const answer = await ask("POST", `/v1/runs/:id/${command}`, body, { id, key: strangerKey });
      expect(answer.json, command).toMatchObject({ status: 404, code: "RUN_NOT_FOUND" });
      const none = await ask("POST", `/v1/runs/:id/${command}`, body, { id, key: "" });
      expect(none.status).toBe(401);
      const member = await ask("POST", `/v1/runs/:id/${command}`, body, { id, key: approverKey });
      expect(member.json, command).toMatchObject({ status: 403, code: "AUTH_FORBIDDEN" });
    }
  });
});
