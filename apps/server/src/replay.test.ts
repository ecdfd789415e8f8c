/**
 * Runs in flight outlive upgrades: what each released version left half way is upgraded, taken up and ended by this
 * one. A set that fails tells of a change that would strand the runs of whoever upgrades; mend the change, not the set.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { until } from "#testing";
import { joinTestApp } from "./testing/app.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { startReceiver } from "./testing/receiver.ts";
import { loadReplay, type ReplayFixture, replayConnection, replayOutputs } from "./testing/replay.ts";

const folder = join(import.meta.dirname, "testing/vectors");
const sets = readdirSync(folder).filter((name) => name.startsWith("replay-"));

describe("runs that an earlier version left half way", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  it("there are some", () => expect(sets.length).toBeGreaterThan(0));

  it.each(sets)("of %s come to their ends, and nothing is sent twice under another key", async (name) => {
    const fixture = JSON.parse(readFileSync(join(folder, name), "utf8")) as ReplayFixture; // written by recordReplay
    const receiver = await startReceiver();
    closing.push(receiver.close);
    const { db, close } = await loadReplay(fixture);
    closing.push(close);
    const app = await joinTestApp(db);
    closing.push(app.stop);
    const admin = await app.access.callerFor(fixture.tenantId, fixture.adminId);
    await app.connectors.put(admin, replayConnection(receiver.url));
    await app.start();
    const { gate: gated = "", signal = "", ...others } = fixture.runs;
    const approver = await app.access.callerFor(fixture.tenantId, fixture.approverId);
    const [gate] = await app.runs.listGates(admin, { runId: gated, limit: 1 });
    await app.runs.answerGate(approver, gate?.id ?? "", { decision: "continue" });
    await app.runs.signal(admin, signal, { name: "paid", payload: { amount: 7 } });
    const doubt = await until(
      "the request that was under way, in doubt: its receiver has moved",
      async () => {
        const [action] = await app.actions.list(admin, { state: "in_doubt", limit: 1 });
        return action;
      },
    );
    await app.actions.resolve(admin, doubt.id, { outcome: "retry", reason: "it did not arrive" });
    for (const [flow, id] of Object.entries({ gate: gated, signal, ...others })) {
      const run = await until(`the end of ${flow}`, async () => {
        await db.system.query(
          sql`update wait set due_at = now() where status = 'open' and kind in ('timer', 'retry')`,
        );
        app.engine.wake();
        const found = await app.runs.find(admin, id);
        if (found.status === "failed") throw new Error(`${flow}: ${JSON.stringify(found.error)}`);
        return found.status === "completed" && found;
      });
      expect(run.output, flow).toEqual(replayOutputs[flow]);
    }
    const sent = receiver.received.map((r) => (r.body as { k: string }).k);
    expect(sent.sort()).toEqual(["flight", "item1", "item2", "retries"]);
    expect(await brokenInvariants(db)).toEqual({});
  });
});
