/** Runs that are aborted, followed, raced and shared out among tenants. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunEvent } from "#orchestrate/runs";
import { sql } from "#platform/db";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { jitter, until } from "./testing/until.ts";

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `control-${++flows}`, version: "1.0.0", steps, ...more });
const send = (body: Record<string, unknown> = {}, more: Record<string, unknown> = {}) => ({
  use: "http.request",
  with: { connection: "wms", method: "POST", path: "/orders", body },
  ...more,
});
const isEnded = (status: string): boolean => ["completed", "failed", "aborted"].includes(status);

describe.each(drivers)("a run under way on %s", (driver) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver);
  });
  afterAll(async () => {
    const noOutbox = async () => (await stage.app.outbox.pending()) === 0;
    await until("an empty outbox", noOutbox);
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });
  const abort = (id: string) => stage.app.runs.abort(stage.admin, id, "not needed");
  const hanging = () => {
    const gate = createGate();
    stage.receiver.answer(async () => {
      await gate.opened;
      return { status: 201 };
    });
    return gate;
  };

  describe("aborted", () => {
    it("while it waits for a timer never goes on", async () => {
      const id = await stage.run(
        flow({ pause: { use: "wait", with: { for: "1s" } }, ship: send({}, { needs: ["pause"] }) }),
      );
      await stage.reach(id, "waiting");
      const before = stage.receiver.received.length;
      expect(await abort(id)).toMatchObject({ status: "aborted", error: { code: "RUN_ABORTED" } });
      await expect(abort(id)).rejects.toMatchObject({ code: "RUN_ENDED" });
      const later = await stage.run(flow({ pause: { use: "wait", with: { for: "1100ms" } } })); // due after the other
      await stage.reach(later, "completed");
      expect((await stage.app.runs.find(stage.admin, id)).status).toBe("aborted");
      expect(stage.receiver.received.length).toBe(before);
    });

    it("[X5] while it waits for an approval cancels the action and the approval, with receipts", async () => {
      const id = await stage.run(flow({ ship: send({ hold: true }) }));
      await stage.reach(id, "waiting");
      await abort(id);
      const [action] = await stage.app.actions.list(stage.admin, { runId: id, limit: 5 });
      expect(action).toMatchObject({ state: "cancelled", error: { code: "RUN_ENDED" } });
      const approval = await stage.app.approvals.find(stage.admin, action?.approvalId ?? "");
      expect(approval.state).toBe("cancelled");
      const receipts = await stage.app.receipts.list(stage.admin.tenantId, { runId: id }, { limit: 50 });
      expect(receipts.items.map((r) => r.type).sort()).toEqual(
        [
          "action.decision",
          "approval.requested",
          "approval.resolved",
          "execution.finished",
          "run.finished",
          "run.operated",
          "run.started",
        ].sort(),
      );
    });

    it("[R6] while an effect is being sent breaks it off and still records what is known of it", async () => {
      const gate = hanging();
      for (const [connection, state] of [
        ["wms", "failed"],
        ["mail", "in_doubt"],
      ] as const) {
        const busy = stage.receiver.busy();
        const id = await stage.run(
          flow({ ship: { use: "http.request", with: { connection, method: "POST", path: "/x", body: {} } } }),
        );
        await until("the request", () => stage.receiver.busy() > busy);
        await abort(id);
        const action = await until("the action's end", async () => {
          const [a] = await stage.app.actions.list(stage.admin, { runId: id, limit: 1 });
          return a?.state === "executing" ? undefined : a;
        });
        expect(action).toMatchObject({ state, error: { code: "NET_ABORTED" } });
        expect((await stage.app.runs.find(stage.admin, id)).status).toBe("aborted");
      }
      gate.open();
    });

    it("[R1] against its completion, 50 times: one outcome, and nothing is written after it", async () => {
      const gates = Array.from({ length: 50 }, createGate);
      stage.receiver.answer(async ({ body }) => {
        await gates[(body as { n: number }).n]?.opened;
        return { status: 201 };
      });
      const source = flow(
        {
          a: { use: "noop" },
          ship: send({ n: "{{ params.n }}" }, { needs: ["a"] }),
          b: { use: "noop", needs: ["ship"] },
        },
        { params: { n: { type: "integer" } } },
      );
      const { name } = await stage.app.flows.publish(stage.admin, source);
      const starts = gates.map((_, n) => stage.app.runs.start(stage.admin, { flow: name, params: { n } }));
      const ids = (await Promise.all(starts)).map((run) => run.id);
      await until("all requests", () => stage.receiver.busy() === gates.length);
      const outcomes = await Promise.all(
        gates.map(async (gate, n) => {
          const id = ids[n] ?? "";
          if (n % 10 !== 1) void jitter(30).then(gate.open);
          if (n % 2 === 0) await gate.opened;
          if (n % 10 === 0) await stage.reach(id, "completed"); // some are too late, some in time for certain
          await jitter(n);
          const aborted = await abort(id).then(
            () => true,
            (error: { code: string }) => {
              expect(error.code).toBe("RUN_ENDED");
              return false;
            },
          );
          gate.open();
          const run = await until("its end", async () => {
            const found = await stage.app.runs.find(stage.admin, id);
            return isEnded(found.status) && found;
          });
          expect(run.status).toBe(aborted ? "aborted" : "completed");
          const events = await stage.app.runs.eventList(stage.admin, id, -1);
          expect(events.map((e) => e.seq)).toEqual(events.map((_e, i) => i));
          expect(events.filter((e) => e.type.startsWith("run.") && e.seq > 0)).toHaveLength(1);
          return { id, aborted, events };
        }),
      );
      expect(new Set(outcomes.map((o) => o.aborted)).size).toBe(2); // else the race was none
      await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
      for (const { id, events } of outcomes) {
        expect(await stage.app.runs.eventList(stage.admin, id, -1)).toEqual(events);
      }
    });
  });

  describe("followed", () => {
    /** Branches whose entries ride with others' barriers: proposals and durable steps in parallel. */
    const braid = (width: number) => {
      const steps: Record<string, unknown> = {};
      for (let n = 0; n < width; n++) {
        steps[`p${n}`] = { use: "noop" };
        steps[`q${n}`] = { use: "noop", needs: [`p${n}`], durable: n % 2 === 0 };
        steps[`s${n}`] =
          n % 3 === 0 ? send({ n }, { needs: [`q${n}`] }) : { use: "noop", durable: true, needs: [`q${n}`] };
        steps[`t${n}`] = { use: "noop", durable: true, needs: [`s${n}`] };
      }
      return flow(steps, { limits: { parallel: 8 } });
    };

    it("loses and repeats nothing, for readers that look again and again from the last number they saw", async () => {
      stage.receiver.answer(() => ({ status: 201 }));
      const ids = await Promise.all(Array.from({ length: 12 }, () => stage.run(braid(6))));
      await Promise.all(
        ids.map(async (id) => {
          const seen: RunEvent[] = [];
          await until("the end", async () => {
            seen.push(...(await stage.app.runs.eventList(stage.admin, id, seen.at(-1)?.seq ?? -1)));
            await jitter(3);
            return isEnded(seen.at(-1)?.type.slice("run.".length) ?? "");
          });
          expect(seen).toEqual(await stage.app.runs.eventList(stage.admin, id, -1));
          expect(seen).toHaveLength(6 * 4 + 2);
        }),
      );
    });

    it("goes on after any number, with the rest and nothing but the rest", async () => {
      const id = await stage.run(braid(3));
      await stage.reach(id, "completed");
      const all = await stage.app.runs.eventList(stage.admin, id, -1);
      for (let seq = -1; seq <= all.length; seq++) {
        const rest = await stage.app.runs.eventList(stage.admin, id, seq);
        expect(rest).toEqual(all.filter((e) => e.seq > seq));
        const streamed: RunEvent[] = [];
        for await (const event of stage.app.runs.events(stage.admin, id, seq)) streamed.push(event);
        expect(streamed).toEqual(rest);
      }
    });

    it("streams what happens as it happens, over any number of reconnects, until the end", async () => {
      const gate = hanging();
      const id = await stage.run(
        flow({
          a: { use: "noop", durable: true },
          ship: send({}, { needs: ["a"] }),
          b: { use: "noop", durable: true, needs: ["ship"] },
          pause: { use: "wait", needs: ["b"], with: { for: "20ms" } },
        }),
      );
      const seen: RunEvent[] = [];
      for (;;) {
        const gone = new AbortController();
        for await (const event of stage.app.runs.events(
          stage.admin,
          id,
          seen.at(-1)?.seq ?? -1,
          gone.signal,
        )) {
          seen.push(event);
          if (event.data.step === "a") gate.open();
          break; // the connection is lost after each event
        }
        if (isEnded(seen.at(-1)?.type.slice("run.".length) ?? "")) break;
      }
      expect(seen).toEqual(await stage.app.runs.eventList(stage.admin, id, -1));
      expect(seen.map((e) => e.type)).toEqual([
        "run.created",
        "step.completed",
        "step.completed",
        "step.completed",
        "step.waiting",
        "step.completed",
        "run.completed",
      ]);
    });
  });

  it("is handed back when this process holds it without knowing: the answer to its claim was lost", async () => {
    const { name } = await stage.app.flows.publish(stage.admin, flow({ a: { use: "noop" } }));
    const { id } = await stage.app.runs.start(stage.admin, { flow: name, params: {} });
    await stage.reach(id, "completed");
    await stage.opened.database.system.query(sql`update run set status = 'running', ended_at = null, lease_epoch = 5,
      lease_worker = (select id from worker where dead_at is null limit 1) where id = ${id}`);
    await stage.opened.database.system.query(sql`delete from journal where run_id = ${id}`);
    expect(await stage.app.engine.sweep()).toBe(0); // it may be on its way
    expect(await stage.app.engine.sweep()).toBe(1);
    await stage.reach(id, "completed");
  });
});

describe.each(drivers)("one slot on %s", (driver) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver, { env: { OARS_MAX_CONCURRENCY: "1" } });
  });
  afterAll(() => stage.close());

  it("aborts a queued run, which then never starts, and takes the next one as soon as the slot is free", async () => {
    const gate = createGate();
    stage.receiver.answer(async () => {
      await gate.opened;
      return { status: 201 };
    });
    const first = await stage.run(flow({ ship: send({ n: 1 }) }));
    await until("the first", () => stage.receiver.busy() === 1);
    const second = await stage.run(flow({ ship: send({ n: 2 }) }));
    const third = await stage.run(flow({ ship: send({ n: 3 }) }));
    expect((await stage.app.runs.find(stage.admin, second)).status).toBe("queued");
    expect((await stage.app.runs.abort(stage.admin, second, "no")).status).toBe("aborted");
    gate.open();
    await stage.reach(first, "completed");
    await until(
      "the third without waiting for the next look",
      async () => {
        const run = await stage.app.runs.find(stage.admin, third);
        return run.status === "completed";
      },
      1_500,
    );
    expect(stage.receiver.received.map((r) => (r.body as { n: number }).n)).toEqual([1, 3]);
    expect(await stage.app.runs.eventList(stage.admin, second, -1)).toMatchObject([
      { seq: 0, type: "run.created" },
      { seq: 1, type: "run.aborted" },
    ]);
  });

  it("is shared by tenants in turns: whoever floods it delays nobody for long", async () => {
    const made = await stage.app.access.createTenant(stage.admin, "Other");
    const other = await stage.app.access.authenticate(`Bearer ${made.apiKey}`);
    const quiet = stage.admin.tenantId > other.tenantId ? stage.admin : other; // the one that stands last
    const loud = quiet === stage.admin ? other : stage.admin;
    const source = flow({
      a: { use: "noop", durable: true },
      b: { use: "noop", durable: true, needs: ["a"] },
    });
    for (const who of [loud, quiet]) await stage.app.flows.publish(who, source);
    const { flow: name } = JSON.parse(source) as { flow: string };
    const start = (who: typeof loud) => stage.app.runs.start(who, { flow: name, params: {} });
    const flood = await Promise.all(Array.from({ length: 60 }, () => start(loud)));
    const one = await start(quiet);
    const ended = await until("the quiet one's end", async () => {
      const run = await stage.app.runs.find(quiet, one.id);
      return run.status === "completed" && run.endedAt;
    });
    await until("all", async () => {
      const left = await stage.app.runs.list(loud, { status: "queued", flow: name, limit: 100 });
      return left.length === 0;
    });
    const [row] = await stage.opened.database.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from run where id = any(${flood.map((r) => r.id)}::uuid[])
        and started_at < ${ended} and started_at >= (select created_at from run where id = ${one.id})`,
    );
    expect(row?.n).toBeLessThan(10);
  });
});
