/** Flows that run other flows: what publishing holds them against, across versions, tenants and publishers. */
import { describe, expect, it, vi } from "vitest";
import { sql } from "#platform/db";
import { drivers, useDatabase } from "#testing";
import { authorOf } from "./sample-author.ts";
import { sampleKinds } from "./sample-kinds.ts";
import { createFlows } from "./service.ts";

interface Call {
  readonly flow: string;
  readonly version?: string;
  readonly params?: unknown;
}

/** A flow whose steps run others. */
const flow = (name: string, calls: readonly Call[] = [], more: object = {}, version = "1.0.0") => ({
  flow: name,
  version,
  ...more,
  steps: {
    last: { use: "map", with: { value: 1 } },
    ...Object.fromEntries(calls.map((call, i) => [`run-${i}`, { use: "flow", with: call }])),
  },
});

describe.each(drivers)("flows that run flows on %s", (driver) => {
  const db = useDatabase(driver);
  const make = () => {
    const flows = createFlows({ db: db(), kinds: sampleKinds });
    const author = authorOf();
    return {
      flows,
      author,
      publish: (source: object | string) => flows.publish(author, source),
      problems: async (source: object | string) =>
        (await flows.validate(author.tenantId, source)).problems.map(({ path, code }) => `${path} ${code}`),
      message: async (source: object) =>
        (await flows.validate(author.tenantId, source)).problems.map((problem) => problem.message).join("\n"),
    };
  };

  it("[L9] publishes what runs published flows, and refuses what is not there or is another tenant's", async () => {
    const { publish, problems, message } = make();
    const stranger = make();
    await stranger.publish(flow("theirs"));
    await publish(flow("child"));
    expect(
      await publish(flow("parent", [{ flow: "child" }, { flow: "child", version: "1.0.0" }])),
    ).toMatchObject({
      created: true,
    });
    expect(
      await problems(
        flow("other", [{ flow: "theirs" }, { flow: "child", version: "2.0.0" }, { flow: "chidl" }]),
      ),
    ).toEqual([
      "steps.run-0.with.flow CHILD_UNKNOWN",
      "steps.run-1.with.version CHILD_VERSION_UNKNOWN",
      "steps.run-2.with.flow CHILD_UNKNOWN",
    ]);
    expect(await message(flow("other", [{ flow: "chidl" }]))).toContain('Did you mean "child"?');
    expect(await message(flow("other", [{ flow: "child", version: "2.0.0" }]))).toContain("there are 1.0.0");
    await expect(publish(flow("other", [{ flow: "theirs" }]))).rejects.toMatchObject({
      code: "FLOW_INVALID",
      errors: [{ code: "CHILD_UNKNOWN" }],
    });
  });

  it("tells faults of the definition and of what it runs at once, with lines", async () => {
    const { flows, author, publish } = make();
    await publish(flow("child", [], { params: { id: { type: "string", required: true } } }));
    const source = `flow: parent
version: 1.0.0
steps:
  one: { use: flow, with: { flow: child, params: { ids: 1 } } }
  two: { use: mapp }
  three: { use: flow, with: { flow: nobody } }
`;
    const expected = [
      "4:42 CHILD_PARAM_MISSING",
      "4:52 CHILD_PARAM_UNKNOWN",
      "5:15 KIND_UNKNOWN",
      "6:37 CHILD_UNKNOWN",
    ];
    const { problems } = await flows.validate(author.tenantId, source);
    expect(problems.map(({ line, column, code }) => `${line}:${column} ${code}`)).toEqual(expected);
    const refused = await flows.publish(author, source).catch((error) => error);
    expect(refused.errors).toEqual(problems);
  });

  it("[L9] refuses a circle of any length, through newest and pinned versions, and shows it", async () => {
    const { publish, problems, message } = make();
    expect(await problems(flow("a", [{ flow: "a" }]))).toEqual(["steps.run-0.with.flow FLOW_RECURSION"]);
    await publish(flow("a"));
    await publish(flow("b", [{ flow: "a" }]));
    await publish(flow("c", [{ flow: "b", version: "1.0.0" }]));
    const next = (version: string) => flow("a", [{ flow: "c" }], {}, version);
    expect(await problems(next("2.0.0"))).toEqual(["steps.run-0.with.flow FLOW_RECURSION"]);
    expect(await message(next("2.0.0"))).toContain("a 2.0.0 runs c (newest) runs b 1.0.0 runs a (newest)");
    // b runs the newest a, and 0.5.0 is not it
    expect(await problems(next("0.5.0"))).toEqual([]);
    // a pinned older version of itself ends
    expect(await problems(flow("a", [{ flow: "a", version: "1.0.0" }], {}, "2.0.0"))).toEqual([]);
    await expect(publish(next("2.0.0"))).rejects.toMatchObject({ errors: [{ code: "FLOW_RECURSION" }] });
  });

  it("[L9] refuses runs nested more than 8 deep, and accepts 8", async () => {
    const { publish, problems } = make();
    await publish(flow("n0"));
    for (let i = 1; i <= 8; i++) await publish(flow(`n${i}`, [{ flow: `n${i - 1}` }]));
    expect(await problems(flow("n9", [{ flow: "n8" }]))).toEqual(["steps.run-0.with.flow FLOW_NESTING"]);
    expect(await problems(flow("n9", [{ flow: "n0" }, { flow: "n7" }]))).toEqual([]);
  });

  it("[L9] lets only one of two publishers close a circle together", async () => {
    const author = authorOf();
    const others: Promise<unknown>[] = [];
    const publishSecond = () => {
      const published = second.publish(author, flow("y", [{ flow: "x" }], {}, "2.0.0"));
      others.push(
        published.then(
          () => "published",
          (error) => error.errors?.[0]?.code,
        ),
      );
    };
    // the second publisher comes while the first has checked and not yet committed
    const between = async () => {
      publishSecond();
      if (driver === "pglite") return; // one session: the second waits for it
      await vi.waitFor(async () => expect(await waitingForLock()).toBe(1), { timeout: 15_000, interval: 5 });
    };
    const second = createFlows({ db: db(), kinds: sampleKinds });
    for (const name of ["x", "y"]) await second.publish(author, flow(name));
    const first = createFlows({ db: db(), kinds: sampleKinds, onPublish: between });
    await first.publish(author, flow("x", [{ flow: "y" }], {}, "2.0.0"));
    expect(await Promise.all(others)).toEqual(["FLOW_RECURSION"]);
  });

  const waitingForLock = async (): Promise<number | undefined> => {
    const [row] = await db().system.query<{ waiting: number }>(sql`
      select count(*)::int as waiting from pg_locks
      where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`);
    return row?.waiting;
  };

  it("holds parameters against the version that is run, and answers a repeat although a newer one differs", async () => {
    const { publish, problems } = make();
    await publish(flow("child", [], { params: { id: { type: "string" } } }));
    const parent = flow("parent", [{ flow: "child", params: { id: "a" } }]);
    await publish(parent);
    await publish(flow("child", [], { params: { id: { type: "integer", required: true } } }, "2.0.0"));
    expect(await problems({ ...parent, version: "1.1.0" })).toEqual([
      "steps.run-0.with.params.id CHILD_PARAM_TYPE",
    ]);
    expect(
      await problems(flow("parent", [{ flow: "child", version: "1.0.0", params: { id: "a" } }], {}, "1.1.0")),
    ).toEqual([]);
    expect(await publish(parent)).toMatchObject({ created: false });
  });

  it("reads each version once, however many ways lead to it", async () => {
    const { publish, problems } = make();
    await publish(flow("w0"));
    for (let i = 1; i <= 7; i++)
      await publish(
        flow(
          `w${i}`,
          Array.from({ length: 20 }, () => ({ flow: `w${i - 1}` })),
        ),
      );
    // 20^8 ways, 8 versions
    expect(
      await problems(
        flow(
          "wide",
          Array.from({ length: 20 }, () => ({ flow: "w7" })),
        ),
      ),
    ).toEqual([]);
  });
});
