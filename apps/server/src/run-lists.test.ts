/** Runs as people look for them and at them: filters, literal search, items, kin, progress. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunFilter } from "#orchestrate/runs";
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { formatId, newId } from "#platform/kernel";
import { drivers } from "#testing";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

const flow = (name: string, steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: name, version: "1.0.0", steps, ...more });

describe.each(drivers)("looking at runs on %s", (driver) => {
  let stage: Stage;
  let auditor: Caller;
  beforeAll(async () => {
    stage = await openStage(driver);
    auditor = await stage.caller("aud", ["auditor"]);
  });
  afterAll(() => stage.close());
  const list = async (filter: Partial<RunFilter>): Promise<string[]> =>
    (await stage.app.runs.list(auditor, { limit: 100, ...filter })).map((r) => r.id);

  describe("a list", () => {
    const ids: Record<string, string> = {};
    const values = {
      quote: `O'Brien "the first"`,
      percent: "100% wool_mix",
      comma: "red, green; blue",
      brackets: "a[0] (x|y) \\d+ $1 --",
      plain: "ordinary",
    };
    beforeAll(async () => {
      await stage.app.flows.publish(
        stage.admin,
        flow("catalogue-export", { a: { use: "noop" } }, { labels: { team: "logistics" } }),
      );
      await stage.app.flows.publish(stage.admin, flow("price-import", { a: { use: "noop" } }));
      for (const [name, text] of Object.entries(values)) {
        const run = await stage.app.runs.start(stage.admin, {
          flow: "catalogue-export",
          params: {},
          labels: { note: text, kind: name },
        });
        ids[name] = run.id;
        await stage.reach(run.id, "completed");
      }
      const other = await stage.app.runs.start(stage.admin, { flow: "price-import", params: {} });
      ids.other = other.id;
      await stage.reach(other.id, "completed");
    });

    it.each([
      ["O'Brien", "quote"],
      [`"the first"`, "quote"],
      ["100%", "percent"],
      ["WOOL_MIX", "percent"],
      ["red, green", "comma"],
      ["; blue", "comma"],
      ["(x|y)", "brackets"],
      ["\\d+", "brackets"],
      ["$1 --", "brackets"],
    ])("is searched for %j literally, regardless of case", async (search, name) => {
      expect(await list({ search })).toEqual([ids[name]]);
    });

    it.each(["1000", "a_c", "red,green", "%", "_%_", "'; drop table run; --", ".*", "a[1]"])(
      "finds for %j only what holds exactly that",
      async (search) => {
        const all = await stage.app.runs.list(auditor, { limit: 100 });
        const holding = all.filter((r) => Object.values(r.labels).some((v) => v.includes(search)));
        expect(await list({ search })).toEqual(holding.map((r) => r.id));
      },
    );

    it("is searched by flow, by error and by id as well", async () => {
      expect(await list({ search: "PRICE-imp" })).toEqual([ids.other]);
      const id = ids.plain ?? "";
      expect(await list({ search: formatId("run", id), searchId: id })).toEqual([id]);
      const failed = await stage.run(flow("failing-one", { a: { use: "json.parse", with: { text: "{" } } }));
      await stage.reach(failed, "failed");
      const { error } = await stage.app.runs.find(auditor, failed);
      expect(await list({ search: error?.code ?? "-" })).toEqual([failed]);
    });

    it("is filtered by labels, all of which must be there; the flow's are among them", async () => {
      expect(await list({ labels: [["kind", "comma"]] })).toEqual([ids.comma]);
      expect(
        await list({
          labels: [
            ["note", values.quote],
            ["kind", "quote"],
          ],
        }),
      ).toEqual([ids.quote]);
      expect(
        await list({
          labels: [
            ["kind", "comma"],
            ["kind", "quote"],
          ],
        }),
      ).toEqual([]);
      expect(await list({ labels: [["team", "logistics"]] })).toHaveLength(5);
      expect(await list({ labels: [["__proto__", "x"]] })).toEqual([]);
    });

    it("is filtered by when runs started: from an instant on, and before one", async () => {
      const run = await stage.app.runs.find(auditor, ids.comma ?? "");
      const at = run.startedAt ?? new Date(0);
      const after = await list({ startedAfter: at, flow: "catalogue-export" });
      const before = await list({ startedBefore: at, flow: "catalogue-export" });
      expect(after).toContain(ids.brackets);
      expect(before).toContain(ids.quote);
      expect(after.filter((id) => before.includes(id))).toEqual([]);
      expect([...after, ...before]).toHaveLength(5);
    });

    it("goes on page by page under any filter", async () => {
      const filter = { flow: "catalogue-export", search: "LOGISTICS" };
      const all = await list(filter);
      const pages: string[] = [];
      for (let before: string | undefined; ; ) {
        const page = await list({ ...filter, limit: 2, before });
        pages.push(...page);
        before = page.at(-1);
        if (page.length < 2) break;
      }
      expect(pages).toEqual(all);
      expect(all).toHaveLength(5);
    });

    it("shows another tenant nothing, whatever it looks for", async () => {
      const made = await stage.app.access.createTenant(stage.admin, "Other");
      const stranger = await stage.app.access.authenticate(`Bearer ${made.apiKey}`);
      for (const filter of [
        {},
        { search: "ordinary" },
        { labels: [["team", "logistics"]] as const },
        { searchId: ids.plain, search: "x" },
      ])
        expect(await stage.app.runs.list(stranger, { limit: 100, ...filter })).toEqual([]);
    });

    it("by parent and by origin is found by an index, however many runs there are", async () => {
      const { tenantId } = stage.admin;
      await stage.opened.database.system.query(sql`insert into run (tenant_id, id, flow_name, flow_version, flow_hash, status,
          principal_id, params, ended_at)
        select ${tenantId}, gen_random_uuid(), 'old', '1.0.0', 'sha256:0', 'completed', ${stage.admin.principalId}, '{}', now()
        from generate_series(1, 20000)`);
      await stage.opened.database.system.query(sql`analyze run`);
      for (const column of ["parent_run_id", "origin_run_id"] as const) {
        const where =
          column === "parent_run_id" ? sql`r.parent_run_id = ${newId()}` : sql`r.origin_run_id = ${newId()}`;
        const plan = await stage.opened.database.system.query<Record<string, string>>(sql`explain
          select r.id from run r where r.tenant_id = ${tenantId} and ${where} order by r.id desc limit 50`);
        expect(plan.map((row) => Object.values(row)[0]).join("\n")).toContain(`run__tenant_id__${column}`);
      }
      await stage.opened.database.system.query(sql`delete from run where flow_name = 'old'`);
    });
  });

  it("a run shows its kin, its open questions and how far it is", async () => {
    const child = flow("leaf", { a: { use: "wait", with: { for: "1h" } } });
    await stage.app.flows.publish(stage.admin, child);
    const id = await stage.run(
      flow("tree", {
        done: { use: "noop", durable: true },
        asked: { use: "noop", gate: { question: "Well?" } },
        sub: { use: "flow", needs: ["done"], with: { flow: "leaf" } },
        end: { use: "noop", needs: ["asked", "sub"] },
      }),
    );
    const run = await until("its question and its sub-run", async () => {
      const found = await stage.app.runs.find(auditor, id);
      return (
        found.gates.length === 1 &&
        found.children[0]?.status === "waiting" &&
        found.status === "waiting" &&
        found
      );
    });
    expect(run.progress).toEqual({ total: 4, completed: 1, percent: 25 });
    expect(run.gates[0]).toMatchObject({ step: "asked", question: "Well?", status: "open" });
    expect(run.children).toMatchObject([{ flow: "leaf", step: "sub" }]);
    expect(run.steps.map((s) => [s.name, s.status])).toEqual(
      expect.arrayContaining([
        ["done", "completed"],
        ["asked", "waiting"],
        ["sub", "waiting"],
        ["end", "pending"],
      ]),
    );
    const childId = run.children[0]?.id ?? "";
    expect(await stage.app.runs.find(auditor, childId)).toMatchObject({ parentRunId: id, parentStep: "sub" });
    expect(await list({ parent: id })).toEqual([childId]);
    await stage.app.runs.abort(stage.admin, id, "enough");
  });

  it("a step with forEach shows how its items stand, and gives them page by page", async () => {
    const id = await stage.run(
      flow("items", {
        each: {
          use: "json.parse",
          forEach: {
            items: Array.from({ length: 25 }, (_, n) => (n % 10 === 3 ? "{" : `{"n":${n}}`)),
            onItemError: "continue",
          },
          with: { text: "{{ item }}" },
        },
      }),
    );
    const run = await stage.reach(id, "completed");
    expect(run.steps[0]).toMatchObject({
      status: "completed",
      items: { total: 25, completed: 22, failed: 3, skipped: 0, waiting: 0 },
    });
    expect(run.steps[0]).not.toHaveProperty("output");
    const pages = [];
    for (let after = -1; ; ) {
      const page = await stage.app.runs.items(auditor, id, "each", { after, limit: 10 });
      pages.push(...page);
      after = page.at(-1)?.index ?? after;
      if (page.length < 10) break;
    }
    expect(pages.map((i) => i.index)).toEqual(Array.from({ length: 25 }, (_, n) => n));
    expect(pages[4]).toMatchObject({ status: "completed", output: { n: 4 }, attempt: 1 });
    expect(pages[13]).toMatchObject({ status: "failed", error: { index: 13 } });
    await expect(stage.app.runs.items(auditor, id, "nope", { after: -1, limit: 1 })).rejects.toMatchObject({
      code: "STEP_NOT_FOUND",
    });
    await expect(
      stage.app.runs.items(auditor, newId(), "each", { after: -1, limit: 1 }),
    ).rejects.toMatchObject({
      code: "RUN_NOT_FOUND",
    });
  });

  it("a long history is read in pages and told whole, in order", async () => {
    const id = await stage.run(
      flow("long", {
        each: {
          use: "noop",
          forEach: { items: Array.from({ length: 1200 }, (_, n) => n), concurrency: 1000 },
          with: { output: "{{ item }}" },
        },
      }),
    );
    await stage.reach(id, "completed");
    const events = await stage.app.runs.eventList(auditor, id, -1);
    expect(events.map((e) => e.seq)).toEqual(events.map((_e, i) => i));
    expect(events).toHaveLength(1200 + 3);
    expect(new Set(events.map((e) => e.data.item)).size).toBe(1201);
    const streamed = [];
    for await (const event of stage.app.runs.events(auditor, id, 700)) streamed.push(event);
    expect(streamed).toEqual(events.slice(701));
  });
});
