import { readFile } from "node:fs/promises";
import { flowDefinition } from "@oars/contract";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { childCases, childSources, shelved } from "./child-cases.ts";
import { shelfOf } from "./flow-shelf.ts";
import { problemCases } from "./problem-cases.ts";
import { problemCodes, renderCodes } from "./problem-codes.ts";
import { sampleKinds } from "./sample-kinds.ts";
import { validateDefinition } from "./validate.ts";

const problemsOf = (source: string | object) => validateDefinition(source, sampleKinds).problems;

/** The source without its mark, and the line and column that the mark stood at. */
function unmark(marked: string) {
  const at = marked.indexOf("§");
  if (at < 0) throw new Error(`the case has no §: ${marked.slice(0, 200)}`);
  const before = marked.slice(0, at);
  const source = before + marked.slice(at + 1);
  return { source, line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}

const order = `
flow: order-to-warehouse
version: 1.0.0
owner: logistics
params: { xml: { type: string, required: true } }
limits: { parallel: 4, timeout: 10m }
triggers: [ { webhook: { slug: orders, auth: { hmac: { secret: "vault:orders-hmac" } }, params: { xml: "{{ trigger.text }}" } } } ]
steps:
  parse: { use: xml.parse, with: { text: "{{ params.xml }}" } }
  item-list: { use: map@1, needs: [parse], with: { value: "{{ steps.parse.output.items.{'id': id} }}" } }
  ship:
    use: http.request
    needs: [item-list]
    with: { connection: wms, path: "/shipments/{{ run.id }}", body: "{{ steps.item-list.output }}" }
    retry: { attempts: 5, backoff: exponential, initial: 2s, max: 1m }
    timeout: 30s
    onError: { goto: park }
  park: { use: map, with: { value: "{{ steps.ship.error }}" } }
output: { shipped: "{{ steps.ship.status = 'completed' }}" }
`;

describe("validateDefinition", () => {
  it("accepts the flow of the guide", () => {
    expect(validateDefinition(order, sampleKinds)).toMatchObject({
      valid: true,
      flow: "order-to-warehouse",
      version: "1.0.0",
      problems: [],
    });
  });

  it.each(problemCases)(
    "tells $what by code, path, line and column: $code",
    ({ code, path, source: marked }) => {
      const { source, line, column } = unmark(marked);
      expect(problemsOf(source)).toContainEqual(expect.objectContaining({ code, path, line, column }));
    },
  );

  it.each(childCases)(
    "tells of a step that runs $what by code, path, line and column: $code",
    ({ code, path, source: marked }) => {
      const { source, line, column } = unmark(marked);
      expect(validateDefinition(source, sampleKinds, shelfOf(shelved)).problems).toEqual([
        { code, path, line, column, message: expect.any(String) },
      ]);
    },
  );

  it.each(childSources.right)("accepts a step that runs another flow: %s", (source) => {
    expect(validateDefinition(source, sampleKinds, shelfOf(shelved)).problems).toEqual([]);
  });

  it("has a case for every code, and the reference names every code", async () => {
    const covered = new Set([...problemCases, ...childCases].map(({ code }) => code));
    const withoutText = problemCodes.filter((code) => code !== "SOURCE_TYPE" && !covered.has(code));
    expect(withoutText).toEqual([]);
    const reference = await readFile(new URL("../../../../../docs/specs/flow.md", import.meta.url), "utf8");
    expect([...problemCodes, ...renderCodes].filter((code) => !reference.includes(`\`${code}\``))).toEqual(
      [],
    );
  });

  it("documents every field that the schema has", async () => {
    const reference = await readFile(new URL("../../../../../docs/specs/flow.md", import.meta.url), "utf8");
    const fields = new Set<string>();
    JSON.stringify(z.toJSONSchema(flowDefinition), (key, value) => {
      if (key === "properties") for (const name of Object.keys(value)) fields.add(name);
      return value;
    });
    expect(fields.size).toBeGreaterThan(50);
    const prose = reference.replaceAll(/^```[\s\S]*?^```$/gm, "");
    const codes = [...prose.matchAll(/`[^`]+`/g)].join(" ");
    expect([...fields].filter((name) => !new RegExp(`\\b${name}\\b`).test(codes))).toEqual([]);
  });

  it("tells faults of form and of meaning together, in the order of the source", () => {
    const source = `flow: Orders
version: 1.0.0
stepz: 1
steps:
  a: { use: mapp, wiht: {} }
  b: { use: map, needs: [a, x], with: { value: "{{ params.y }}" }, retry: { attempts: 0 } }
  c: { use: map, needs: [d], with: { value: "{{ 1 + }}" } }
  d: { use: map, needs: [c], with: { value: 1 } }
`;
    expect(problemsOf(source).map(({ code, line }) => `${line} ${code}`)).toEqual([
      "1 FIELD_VALUE",
      "3 FIELD_UNKNOWN",
      "5 KIND_UNKNOWN",
      "5 FIELD_UNKNOWN",
      "6 NEEDS_UNKNOWN",
      "6 REFERENCE_UNKNOWN",
      "6 FIELD_VALUE",
      "7 FLOW_CYCLE",
      "7 EXPRESSION_SYNTAX",
    ]);
  });

  it.each([
    ["  a: { use: map, with: { value: 1 }, retrys: {} }", 'Did you mean "retry"?'],
    ["  a: { use: map, with: { value: 1, mod: strict } }", 'Did you mean "mode"?'],
    ["  a: { use: http.reqest }", 'Did you mean "http.request"?'],
    ["  a: { use: zzz }", "This server has: flow, http.request, map, wait, xml.parse."],
    [
      "  a: { use: map, needs: [aa, step1], with: { value: 1 } }\n  step-1: { use: map, with: { value: 1 } }",
      'Did you mean "step-1"?',
    ],
    ["  a: { use: map, with: { value: '{{ lowercase }}' } }", "expressions read params, steps, run, trigger"],
    ["  a: { use: map, with: { value: 1 }, onError: contineu }", 'Did you mean "continue"?'],
    [
      "  a: { use: map, needs: [c], with: { value: 1 } }\n  b: { use: map, needs: [a], with: { value: 1 } }\n  c: { use: map, needs: [b], with: { value: 1 } }",
      "a needs c, c needs b, b needs a",
    ],
  ])("says what to change: %s", (steps, message) => {
    const told = problemsOf(`flow: a\nversion: 1.0.0\nsteps:\n${steps}\n`).map((problem) => problem.message);
    expect(told.join("\n")).toContain(message);
  });

  it("suggests the parameter or the step that a bare name meant", () => {
    const source = `flow: a\nversion: 1.0.0\nparams: { xml: { type: string } }\nsteps:\n  a: { use: map, with: { value: "{{ xml }}" } }\noutput: "{{ a }}"\n`;
    const [first, second] = problemsOf(source);
    expect(first?.message).toContain('Did you mean "params.xml"?');
    expect(second?.message).toContain('Did you mean "steps.a.output"?');
  });

  it("holds only what is written out against the kind, never what an expression will give", () => {
    const step = (config: string) =>
      problemsOf(
        `flow: a\nversion: 1.0.0\nparams: { p: { type: string } }\nsteps:\n  s: { use: http.request, with: ${config} }\n`,
      ).map(({ code, path }) => `${code} ${path}`);
    expect(
      step(
        '{ connection: "{{ params.p }}", path: "{{ params.p }}", method: "{{ params.p }}", headers: "{{ trigger.h }}", retries: "{{ $number(params.p) }}" }',
      ),
    ).toEqual([]);
    expect(
      step('{ connection: w, path: "x{{ params.p }}", headers: { a: "{{ params.p }}", b: 1 } }'),
    ).toEqual(["FIELD_TYPE steps.s.with.headers.b"]);
    expect(step('{ connection: "{{ params.p }}", path: x, extra: "{{ params.p }}" }')).toEqual([
      "FIELD_VALUE steps.s.with.path",
      "FIELD_UNKNOWN steps.s.with.extra",
    ]);
    expect(step("{ connection: w, path: /x, token: vault:wms }")).toEqual([]);
    expect(step('{ connection: w, path: /x, token: "{{ params.p }}" }')).toEqual([]);
  });

  it("names the place inside of block text, quotes and escapes", () => {
    const place = (output: string) => {
      const { source, line, column } = unmark(
        `flow: a\nversion: 1.0.0\nsteps: { a: { use: map, with: { value: 1 } } }\noutput: ${output}\n`,
      );
      const [problem] = problemsOf(source);
      return [
        [problem?.line, problem?.column],
        [line, column],
      ];
    };
    for (const output of [
      "|\n  first line\n  second {{ §nope }}\n",
      "|-\n    first\n\n    {{ 1 +\n      §nope }}",
      "'it''s {{ §nope }}'",
      '"tab \\t and \\u00e9 {{ §nope }}"',
      "plain {{ §nope }}",
      "§>\n  folded\n  text {{ nope }}\n",
    ]) {
      const [got, wanted] = place(output);
      expect(got, output).toEqual(wanted);
    }
  });

  it("names the place in JSON", () => {
    const { source, line, column } = unmark(
      `{\n\t"flow": "a",\n\t"version": "1.0.0",\n\t"steps": {\n\t\t"a": { "use": §"mapp" }\n\t}\n}`,
    );
    expect(problemsOf(source)).toEqual([expect.objectContaining({ code: "KIND_UNKNOWN", line, column })]);
  });

  it("checks a value without a text by path alone", () => {
    const [problem] = problemsOf({ flow: "a", version: "1.0.0", steps: { a: { use: "mapp" } } });
    expect(problem).toEqual({ path: "steps.a.use", code: "KIND_UNKNOWN", message: expect.any(String) });
    const date = problemsOf({ flow: "a", version: "1.0.0", output: new Date(), steps: {} });
    expect(date).toEqual([{ path: "output", code: "SOURCE_TYPE", message: expect.any(String) }]);
  });

  it("[L3] [L5] lets the output read every step, and a handler what led to it", () => {
    const source = `flow: a
version: 1.0.0
steps:
  a: { use: map, with: { value: 1 } }
  b: { use: map, needs: [a], with: { value: 1 }, onError: { goto: h } }
  h: { use: map, with: { value: "{{ [steps.a.output, steps.b.error] }}" } }
  f: { use: map, with: { value: 1 }, onError: { fallback: { reason: "{{ error.message }}" } } }
output: "{{ [steps.b.output, steps.h.output, steps.f.status] }}"
`;
    expect(problemsOf(source)).toEqual([]);
  });

  it("accepts 1,000 steps and refuses 1,001", () => {
    const flow = (count: number) => ({
      flow: "a",
      version: "1.0.0",
      steps: Object.fromEntries(
        Array.from({ length: count }, (_, i) => [
          `s${i}`,
          { use: "map", with: { value: i }, needs: i === 0 ? [] : [`s${i - 1}`] },
        ]),
      ),
    });
    expect(problemsOf(flow(1_000))).toEqual([]);
    expect(problemsOf(flow(1_001))).toEqual([expect.objectContaining({ code: "FLOW_STEPS" })]);
  });

  it("agrees with the JSON Schema that editors use", () => {
    const check = new Ajv2020({ strict: false }).compile(z.toJSONSchema(flowDefinition) as object);
    const valid = validateDefinition(order, sampleKinds);
    expect(valid.valid && check(valid.definition)).toBe(true);
    expect(check({ flow: "a", version: "1.0.0", steps: { a: { use: "map", nope: 1 } } })).toBe(false);
    expect(check({ flow: "A", version: "1.0.0", steps: { a: { use: "map" } } })).toBe(false);
  });
});
