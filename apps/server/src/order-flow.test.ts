/** The whole way of an order, in one process: webhook, flow, policy, approval, effect, receipts. */

import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sign } from "#orchestrate/triggers";
import type { Caller } from "#platform/access";
import { newId } from "#platform/kernel";
import { drivers, openTestDatabase, type TestDatabase } from "#testing";
import { startTestApp, type TestApp } from "./testing/app.ts";

const example = new URL("../../../examples/order-to-warehouse/", import.meta.url);
const read = (name: string): Promise<string> => readFile(new URL(name, example), "utf8");

interface Received {
  readonly key: string;
  readonly body: unknown;
}

function warehouse(): Promise<{
  url: string;
  received: Received[];
  answer: { status: number };
  server: Server;
}> {
  const received: Received[] = [];
  const answer = { status: 201 };
  const server = createServer(async (req: IncomingMessage, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer); // no encoding is set: chunks are buffers
    received.push({
      key: String(req.headers["idempotency-key"]),
      body: JSON.parse(Buffer.concat(chunks).toString()),
    });
    res.writeHead(answer.status, { "content-type": "application/json" }).end('{"shipmentId":"S-1"}');
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      resolve({ url: `http://127.0.0.1:${port}`, received, answer, server });
    });
  });
}

describe.each(drivers)("an order on %s", (driver) => {
  let opened: TestDatabase;
  let app: TestApp;
  let approver: Caller;
  let wms: Awaited<ReturnType<typeof warehouse>>;
  const secret = "a shared secret of the shop";

  beforeAll(async () => {
    opened = await openTestDatabase(driver);
    app = await startTestApp(opened.database);
    wms = await warehouse();
    approver = await app.caller("ana", ["approver"]);
    await app.db.tx(app.admin.tenantId, (tx) =>
      app.vault.putSecret(tx, app.admin.tenantId, "orders-hmac", secret, app.admin.principalId),
    );
    const connection = JSON.parse(await read("connection.json"));
    connection.config.baseUrl = wms.url;
    await app.connectors.put(app.admin, connection);
    const bundle = await app.policy.createVersion(app.admin, { cedar: await read("policy.cedar") });
    await app.policy.publish(app.admin, bundle.id);
    await app.flows.publish(app.admin, await read("flow.yaml"));
  });
  afterAll(async () => {
    wms?.server.close();
    await app?.stop();
    await opened?.close();
  });

  const post = async (document: string, id = newId()) => {
    const raw = Buffer.from(await read(`documents/${document}`));
    const timestamp = Math.floor(Date.now() / 1000);
    return app.triggers.receive({
      slug: "orders",
      tenantHeader: undefined,
      headers: {
        "webhook-id": id,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": `v1,${sign(secret, id, timestamp, raw)}`,
      },
      raw,
      contentType: "application/xml",
      query: {},
    });
  };
  const until = async (runId: string, ...statuses: string[]) => {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const run = await app.runs.find(app.admin, runId);
      if (statuses.includes(run.status)) return run;
      if (Date.now() > deadline) throw new Error(`run is ${run.status}: ${JSON.stringify(run, null, 1)}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  };

  it("goes to the best warehouse and leaves receipts of the run, the decision and the outcome that a stranger can check", async () => {
    const { runId } = await post("01-small.xml");
    const run = await until(runId, "completed", "failed");
    expect(run).toMatchObject({ status: "completed", output: { warehouse: "WH-SF-001" } });
    expect(wms.received).toHaveLength(1);
    const bundle = await app.log.exportRun(app.admin.tenantId, runId);
    expect(bundle.items.length).toBe(4);
  });

  it("is one run, however often the same delivery comes", async () => {
    const before = wms.received.length;
    const id = newId();
    const answers = await Promise.all([
      post("01-small.xml", id),
      post("01-small.xml", id),
      post("01-small.xml", id),
    ]);
    expect(new Set(answers.map((a) => a.runId)).size).toBe(1);
    expect(answers.filter((a) => !a.duplicate)).toHaveLength(1);
    await until(answers[0]?.runId ?? "", "completed");
    expect(wms.received.length).toBe(before + 1);
  });

  it("of high value waits for an approver who is not the requester, and is sent once", async () => {
    const before = wms.received.length;
    const { runId } = await post("03-large-value.xml");
    await until(runId, "waiting");
    expect(wms.received.length).toBe(before);
    const [approval] = await app.approvals.list(app.admin, { state: "pending", limit: 10 });
    const vote = { decision: "approve" as const, reason: "known customer" };
    await expect(app.approvals.decide(app.admin, approval?.id ?? "", vote)).rejects.toMatchObject({
      code: "APPROVAL_REQUESTER",
    });
    const both = await Promise.allSettled([
      app.approvals.decide(approver, approval?.id ?? "", vote),
      app.approvals.decide(approver, approval?.id ?? "", vote),
    ]);
    expect(both.filter((r) => r.status === "fulfilled")).toHaveLength(1);
    await until(runId, "completed");
    expect(wms.received.length).toBe(before + 1);
    const types = (await app.receipts.list(app.admin.tenantId, { runId }, { limit: 50 })).items
      .map((r) => r.type)
      .sort();
    expect(types).toEqual(
      [
        "action.decision",
        "action.decision",
        "approval.consumed",
        "approval.requested",
        "approval.resolved",
        "approval.vote",
        "execution.finished",
        "run.finished",
        "run.started",
      ].sort(),
    );
  });

  it("that is malformed fails with the place of the fault, and nothing is sent", async () => {
    const before = wms.received.length;
    const { runId } = await post("04-malformed.xml");
    const run = await until(runId, "failed");
    expect(run.error).toMatchObject({ code: "XML_MALFORMED", step: "parse" });
    expect(run.error?.line).toBeGreaterThan(1);
    expect(run.steps.map((s) => s.status)).toEqual(["failed", "pending", "pending", "pending", "pending"]);
    const events = await app.runs.eventList(app.admin, runId, -1);
    expect(events.map((e) => e.type)).toEqual(["run.created", "step.failed", "run.failed"]);
    expect(wms.received.length).toBe(before);
  });

  it("whose warehouse is down is sent again with the same key and body", async () => {
    const before = wms.received.length;
    wms.answer.status = 503;
    const { runId } = await post("05-no-coordinates.xml");
    await until(runId, "waiting");
    wms.answer.status = 201;
    await until(runId, "completed");
    const sent = wms.received.slice(before);
    expect(sent.length).toBe(2);
    expect(new Set(sent.map((s) => s.key)).size).toBe(1);
    expect(sent[0]?.body).toEqual(sent[1]?.body);
  });

  it("that is rejected fails its run and is never sent", async () => {
    const before = wms.received.length;
    const { runId } = await post("03-large-value.xml");
    await until(runId, "waiting");
    const [approval] = await app.approvals.list(app.admin, { state: "pending", limit: 10 });
    await app.approvals.decide(approver, approval?.id ?? "", {
      decision: "reject",
      reason: "unknown customer",
    });
    const run = await until(runId, "failed");
    expect(run.error).toMatchObject({ code: "APPROVAL_REJECTED" });
    expect(wms.received.length).toBe(before);
  });
});
