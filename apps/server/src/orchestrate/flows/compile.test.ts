import type { FlowDefinition } from "@oars/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkParams, compileFlow } from "./compile.ts";
import { sampleKinds } from "./sample-kinds.ts";
import { compareVersions } from "./semver.ts";
import { validateDefinition } from "./validate.ts";

function compiled(source: string | object) {
  const result = validateDefinition(source, sampleKinds);
  if (!result.valid) throw new Error(JSON.stringify(result.problems));
  return compileFlow(result.definition, sampleKinds);
}

const flowOf = (steps: string, top = "") => compiled(`flow: a\nversion: 1.0.0\n${top}steps:\n${steps}`);
const stepOf = (body: string) => flowOf(`  s: { ${body} }\n`).steps[0];

describe("compileFlow", () => {
  it("[L1] [L2] orders every acyclic graph so that needs and goto point forward, and keeps all edges", () => {
    const graph = fc.integer({ min: 1, max: 25 }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        // edges from a lower to a higher number never form a cycle
        edges: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 60 }),
        names: fc.shuffledSubarray(
          Array.from({ length: 25 }, (_, i) => `s${i}`),
          { minLength: size, maxLength: size },
        ),
      }),
    );
    fc.assert(
      fc.property(graph, ({ size, edges, names }) => {
        const forward = edges.filter(([from, to]) => from < to);
        const steps: FlowDefinition["steps"] = {};
        for (let i = 0; i < size; i++) {
          const needs = forward.filter(([, to]) => to === i).map(([from]) => String(names[from]));
          steps[String(names[i])] = {
            use: "map",
            with: { value: i },
            ...(needs.length > 0 ? { needs } : {}),
          };
        }
        const flow = compiled({ flow: "a", version: "1.0.0", steps });
        expect(flow.steps.map(({ name }) => name).sort()).toEqual([...names].sort());
        for (const [position, step] of flow.steps.entries()) {
          expect(step.index).toBe(position);
          for (const need of step.needs) expect(need).toBeLessThan(position);
          const wanted = new Set(steps[step.name]?.needs ?? []);
          expect(new Set(step.needs.map((need) => flow.steps[need]?.name))).toEqual(wanted);
          for (const next of step.dependents) expect(flow.steps[next]?.needs).toContain(position);
        }
        const reordered = Object.fromEntries(Object.entries(steps).reverse());
        const again = compiled({ flow: "a", version: "1.0.0", steps: reordered });
        expect(again.steps.map(({ name }) => name)).toEqual(flow.steps.map(({ name }) => name));
      }),
    );
  });

  it("[L2] finds a cycle in every graph that has one", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 12 }),
        fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 20 }),
        (size, extra) => {
          const steps: Record<string, unknown> = {};
          for (let i = 0; i < 12; i++) {
            const ring = i < size ? [`s${(i + 1) % size}`] : [];
            const more = extra.filter(([from, to]) => from === i && to !== i).map(([, to]) => `s${to}`);
            steps[`s${i}`] = { use: "map", with: { value: i }, needs: [...ring, ...more] };
          }
          const { problems } = validateDefinition({ flow: "a", version: "1.0.0", steps }, sampleKinds);
          expect(problems.some(({ code }) => code === "FLOW_CYCLE")).toBe(true);
        },
      ),
    );
  });

  it("tells one cycle for each knot of steps", () => {
    const step = (needs: string) => `{ use: map, with: { value: 1 }, needs: [${needs}] }`;
    const source = `flow: a\nversion: 1.0.0\nsteps:\n  a: ${step("b")}\n  b: ${step("a")}\n  c: ${step("d, a")}\n  d: ${step("c")}\n  e: ${step("d")}\n`;
    const { problems } = validateDefinition(source, sampleKinds);
    expect(problems.map(({ path }) => path)).toEqual(["steps.a.needs", "steps.c.needs"]);
  });

  it("fills in defaults", () => {
    const flow = flowOf("  s: { use: map, with: { value: 1 } }\n");
    expect(flow).toMatchObject({ parallel: 4, timeoutMs: 86_400_000, webhooks: [], output: null });
    expect(flow.steps[0]).toMatchObject({
      kind: "map",
      kindVersion: 1,
      pure: true,
      durable: false,
      handler: false,
      when: null,
      timeoutMs: null,
      retry: { attempts: 1, backoff: "exponential", initialMs: 1_000, maxMs: 60_000 },
      onError: { do: "fail" },
    });
  });

  it("turns durations into milliseconds and keeps what is written", () => {
    expect(stepOf("use: map, with: { value: 1 }, retry: {}, timeout: 500ms")).toMatchObject({
      retry: { attempts: 3 },
      timeoutMs: 500,
    });
    expect(
      stepOf("use: map, with: { value: 1 }, retry: { attempts: 2, initial: 2m, backoff: fixed }"),
    ).toMatchObject({
      retry: { attempts: 2, backoff: "fixed", initialMs: 120_000, maxMs: 120_000 },
    });
    expect(
      flowOf("  s: { use: map, with: { value: 1 } }\n", "limits: { parallel: 9, timeout: 30d }\n"),
    ).toMatchObject({ parallel: 9, timeoutMs: 2_592_000_000 });
  });

  it("makes effects durable, and pure steps where the author asks for it", () => {
    expect(stepOf("use: http.request, with: { connection: w, path: /x }")).toMatchObject({
      kind: "http.request",
      kindVersion: 2,
      durable: true,
    });
    expect(stepOf("use: map, durable: true, with: { value: 1 }")).toMatchObject({
      pure: true,
      durable: true,
    });
  });

  it("renders conditions to true or false", async () => {
    const when = (expression: string) =>
      stepOf(`use: map, with: { value: 1 }, when: "{{ ${expression} }}"`)?.when;
    const scope = {
      params: {},
      steps: {},
      run: { id: "r", flow: "a", version: "1.0.0", startedAt: "" },
      trigger: { list: [0], text: "x" },
    };
    expect(when("trigger.text")?.render(scope)).toBe(true);
    expect(when("trigger.none")?.render(scope)).toBe(false);
    expect(await when("$count(trigger.list) > 1")?.render(scope)).toBe(false);
    expect(stepOf("use: map, with: { value: 1 }, when: true")?.when).toBeNull();
  });

  it("[L3] [L4] compiles goto, fallback, webhooks and the output", () => {
    const flow = flowOf(
      '  s: { use: map, with: { value: 1 }, onError: { goto: h } }\n  h: { use: map, with: { value: 1 }, onError: { fallback: { why: "{{ error.code }}" } } }\n',
      'params: { x: { type: string } }\ntriggers: [ { webhook: { slug: in, auth: { hmac: { secret: "vault:key" } }, params: { x: "{{ trigger.text }}" } } } ]\noutput: "{{ steps.h.output }}"\n',
    );
    const [s, h] = flow.steps;
    const scope = {
      params: {},
      steps: {},
      run: { id: "r", flow: "a", version: "1.0.0", startedAt: "" },
      trigger: { text: "t" },
      error: { code: "X" },
    };
    expect([s?.name, s?.onError, h?.handler]).toEqual(["s", { do: "goto", step: 1 }, true]);
    expect(h?.onError.do === "fallback" && h.onError.output.render(scope)).toEqual({ why: "X" });
    expect(flow.webhooks).toMatchObject([{ slug: "in", secret: "key" }]);
    expect(flow.webhooks[0]?.params?.render(scope)).toEqual({ x: "t" });
    expect(flow.output?.refs).toEqual(["h"]);
  });

  it("refuses a stored flow whose step kind is gone", () => {
    const { definition } = flowOf("  s: { use: map, with: { value: 1 } }\n");
    expect(() => compileFlow(definition, { find: () => undefined, names: () => [] })).toThrow(
      expect.objectContaining({ code: "FLOW_INVALID" }),
    );
  });
});

describe("checkParams", () => {
  const flow = flowOf(
    "  s: { use: map, with: { value: 1 } }\n",
    "params: { a: { type: string, required: true, enum: [x, y] }, n: { type: integer, default: 3 }, o: { type: object }, l: { type: array }, b: { type: boolean, required: true, default: false } }\n",
  );

  it("[V4] fills in defaults and passes on what fits", () => {
    expect(checkParams(flow, { a: "x", o: { k: 1 } })).toEqual({
      ok: true,
      params: { a: "x", n: 3, o: { k: 1 }, b: false },
    });
  });

  it("tells everything that is wrong at once", () => {
    const result = checkParams(flow, { a: "xx", n: 1.5, o: [], l: {}, b: "true", m: 1 });
    expect(result.ok ? [] : result.problems.map(({ path, code }) => `${path} ${code}`)).toEqual([
      "params.a PARAM_ENUM",
      "params.n PARAM_TYPE",
      "params.o PARAM_TYPE",
      "params.l PARAM_TYPE",
      "params.b PARAM_TYPE",
      "params.m PARAM_UNKNOWN",
    ]);
    expect(checkParams(flow, {})).toMatchObject({
      ok: false,
      problems: [{ path: "params.a", code: "PARAM_REQUIRED" }],
    });
  });

  it("takes nothing from prototypes, and no field by the name of one", () => {
    expect(checkParams(flow, null).ok).toBe(false);
    expect(checkParams(flow, Object.create({ a: "x" }))).toMatchObject({
      ok: false,
      problems: [{ code: "PARAM_REQUIRED" }],
    });
    const hostile = checkParams(
      flow,
      JSON.parse('{"a": "x", "__proto__": {"polluted": true}, "constructor": 1}'),
    );
    expect(hostile.ok ? [] : hostile.problems.map(({ code }) => code)).toEqual([
      "PARAM_UNKNOWN",
      "PARAM_UNKNOWN",
    ]);
  });
});

describe("compareVersions", () => {
  it("orders versions as semver 2.0.0 does", () => {
    const ordered = [
      "0.9.0",
      "1.0.0-1",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.2.0",
      "1.10.0",
      "2.0.0",
    ];
    expect(ordered.toReversed().sort(compareVersions)).toEqual(ordered);
    expect(compareVersions("1.0.0-rc.1", "1.0.0-rc.1")).toBe(0);
  });
});
