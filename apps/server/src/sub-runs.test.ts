/** Flows that run flows, waits of every kind, and outputs that are used again. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunWithSteps } from "#orchestrate/runs";
import { sql } from "#platform/db";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

let names = 0;
const nameOf = (what: string): string => `${what}-${++names}`;

describe.each(drivers)("steps that wait for others on %s", (driver) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver);
  });
  afterAll(async () => {
    const broken = () => brokenInvariants(stage.opened.database);
    await until("rest", async () => Object.keys(await broken()).length === 0, 3_000).catch(() => {});
    const left = await broken();
    await stage.close();
    expect(left).toEqual({});
  });

  const publish = async (what: string, definition: Record<string, unknown>): Promise<string> => {
    const flow = nameOf(what);
    await stage.app.flows.publish(stage.admin, JSON.stringify({ flow, version: "1.0.0", ...definition }));
    return flow;
  };
  const start = async (flow: string, params: Record<string, unknown> = {}): Promise<string> =>
    (await stage.app.runs.start(stage.admin, { flow, params })).id;
  const childrenOf = (id: string) =>
    stage.opened.database.system.query<{ id: string; status: string; depth: number }>(
      sql`select id, status, depth from run where parent_run_id = ${id} order by id`,
    );
  const end = async (flow: string, params: Record<string, unknown> = {}): Promise<RunWithSteps> =>
    stage.reach(await start(flow, params), "completed", "failed");

  describe("sub-runs", () => {
    it("[R11] take parameters and give their output to the step", async () => {
      const child = await publish("child", {
        params: { n: { type: "number", required: true } },
        steps: { twice: { use: "noop", with: { output: "{{ params.n * 2 }}" } } },
      });
      const parent = await publish("parent", {
        params: { n: { type: "number" } },
        steps: {
          sub: { use: "flow", with: { flow: child, params: { n: "{{ params.n }}" } } },
          after: { use: "noop", needs: ["sub"], with: { output: "{{ steps.sub.output + 1 }}" } },
        },
      });
      const run = await end(parent, { n: 20 });
      expect(run.error).toBeNull();
      expect(run.output).toBe(41);
      expect(await childrenOf(run.id)).toMatchObject([{ status: "completed", depth: 1 }]);
    });

    it("[R11] run for each item, and no more at once than may", async () => {
      const child = await publish("item", {
        params: { n: { type: "number", required: true } },
        steps: {
          nap: { use: "wait", with: { for: "20ms" } },
          out: { use: "noop", needs: ["nap"], with: { output: "{{ params.n }}" } },
        },
      });
      const parent = await publish("fan", {
        params: { list: { type: "array" } },
        steps: {
          each: {
            use: "flow",
            forEach: { items: "{{ params.list }}", concurrency: 2 },
            with: { flow: child, params: { n: "{{ item }}" } },
          },
        },
      });
      const run = await end(parent, { list: [1, 2, 3, 4, 5] });
      expect(run.output).toEqual([1, 2, 3, 4, 5]);
      expect(await childrenOf(run.id)).toHaveLength(5);
    });

    it("[R11] fail the step with their failure, which onError and retry see", async () => {
      const child = await publish("broken", { steps: { bad: { use: "json.parse", with: { text: "{" } } } });
      const parent = await publish("cares", {
        steps: {
          sub: {
            use: "flow",
            with: { flow: child },
            retry: { attempts: 2, backoff: "fixed", initial: "5ms" },
          },
        },
      });
      const run = await end(parent);
      expect(run.status).toBe("failed");
      expect(run.error).toMatchObject({ code: "CHILD_FAILED", step: "sub" });
      expect(await childrenOf(run.id)).toHaveLength(2);
      const lenient = await publish("lenient", {
        steps: { sub: { use: "flow", with: { flow: child }, onError: { fallback: "none" } } },
      });
      expect((await end(lenient)).output).toBe("none");
    });

    it("[R11] are refused parameters that do not fit, and flows that are not there", async () => {
      const child = await publish("strict", {
        params: { n: { type: "number", required: true } },
        steps: { a: { use: "noop" } },
      });
      const parent = await publish("sloppy", {
        params: { n: { type: "object" } },
        steps: { sub: { use: "flow", with: { flow: child, params: { n: "{{ params.n.value }}" } } } },
      });
      expect((await end(parent, { n: { value: "x" } })).error).toMatchObject({ code: "RUN_PARAMS_INVALID" });
    });

    it("[R11] end with their parent, however deep they are", async () => {
      const leaf = await publish("leaf", { steps: { wait: { use: "wait", with: { for: "1h" } } } });
      const middle = await publish("middle", { steps: { sub: { use: "flow", with: { flow: leaf } } } });
      const top = await publish("top", { steps: { sub: { use: "flow", with: { flow: middle } } } });
      const id = await start(top);
      const deepest = await until("the leaf to wait", async () => {
        const [child] = await childrenOf(id);
        const [grandchild] = child ? await childrenOf(child.id) : [];
        return grandchild?.status === "waiting" ? grandchild : undefined;
      });
      await stage.app.runs.abort(stage.admin, id, "not needed");
      const all = await until("all of them to end", async () => {
        const rows = await stage.opened.database.system.query<{ status: string }>(
          sql`select status from run where id in (${id}, ${deepest.id}) or parent_run_id = ${id}`,
        );
        return rows.every((r) => r.status === "aborted") ? rows : undefined;
      });
      expect(all).toHaveLength(3);
    });

    it("[R11] that take longer than the step's limit are aborted", async () => {
      const child = await publish("slow", { steps: { wait: { use: "wait", with: { for: "1h" } } } });
      const parent = await publish("hasty", {
        steps: { sub: { use: "flow", with: { flow: child }, timeout: "50ms" } },
      });
      const run = await end(parent);
      expect(run.error).toMatchObject({ code: "STEP_TIMEOUT", step: "sub" });
      await until("the sub-run to end", async () =>
        (await childrenOf(run.id)).every((c) => c.status === "aborted"),
      );
    });
  });

  describe("waits", () => {
    it("until an instant, also one that has passed", async () => {
      const flow = await publish("until", {
        params: { at: { type: "string" } },
        steps: { till: { use: "wait", with: { until: "{{ params.at }}" } } },
      });
      const at = Date.now() + 150;
      const run = await end(flow, { at: new Date(at).toISOString() });
      expect(run.status).toBe("completed");
      expect((run.endedAt?.getTime() ?? 0) - at).toBeGreaterThan(-20);
      expect((await end(flow, { at: "2020-01-01T00:00:00Z" })).status).toBe("completed");
    });

    it("[R8] for a signal that does not come fail in time", async () => {
      const flow = await publish("unheard", {
        steps: { paid: { use: "wait", with: { signal: "paid", timeout: "30ms" } } },
      });
      expect((await end(flow)).error).toMatchObject({ code: "WAIT_TIMEOUT", step: "paid" });
    });
  });

  describe("cached outputs", () => {
    const lookup = (ttl: string, scope = "tenant") => ({
      params: { n: { type: "number" } },
      steps: {
        get: {
          use: "http.request",
          with: { connection: "wms", method: "POST", path: "/lookup", body: { n: "{{ params.n }}" } },
          cache: { ttl, scope },
        },
      },
    });

    it("[R9] spare the call for the same input, not the decision; the receipt says that nothing was sent", async () => {
      const flow = await publish("lookup", lookup("1h"));
      let calls = 0;
      stage.receiver.answer(() => ({ status: 200, body: { call: ++calls } }));
      const first = await end(flow, { n: 1 });
      const second = await end(flow, { n: 1 });
      const other = await end(flow, { n: 2 });
      expect(calls).toBe(2);
      expect(second.output).toEqual(first.output);
      expect(other.output).not.toEqual(first.output);
      const decided = await stage.opened.database.system.query(
        sql`select id from receipt where type = 'action.decision' and run_id = ${second.id}`,
      );
      expect(decided).toHaveLength(1);
      const [ended] = await stage.opened.database.system.query<{ jws: string }>(
        sql`select jws from receipt where type = 'execution.finished' and run_id = ${second.id}`,
      );
      const body = Buffer.from(String(ended?.jws.split(".")[1]), "base64url").toString();
      expect(JSON.parse(body)).toMatchObject({
        outcome: { status: "not_executed", code: "OUTPUT_CACHED" },
      });
    });

    it("[R9] are not used past their time", async () => {
      const flow = await publish("brief", lookup("1s"));
      let calls = 0;
      stage.receiver.answer(() => ({ status: 200, body: { call: ++calls } }));
      await end(flow, { n: 1 });
      await stage.opened.database.system.query(
        sql`update step_cache set expires_at = now() where step = 'get'`,
      );
      await end(flow, { n: 1 });
      expect(calls).toBe(2);
    });
  });
});
