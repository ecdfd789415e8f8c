/** The examples of the flow language: every construct, published and run. */
import { readdir, readFile } from "node:fs/promises";
import { flowDefinition } from "@oars/contract";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { drivers } from "#testing";
import { startTestApi, type TestApi } from "./testing/api.ts";
import { reach } from "./testing/stage.ts";

const folder = new URL("../../../examples/flow-language/", import.meta.url);
const read = (name: string): Promise<string> => readFile(new URL(name, folder), "utf8");

interface Start {
  readonly flow: string;
  readonly params: Record<string, unknown>;
  readonly output: unknown;
  readonly signal?: { readonly name: string; readonly payload: unknown };
  readonly answer?: "continue";
}

const files = (await readdir(folder)).filter((name) => name.endsWith(".yaml"));
/** A flow that others run comes first. */
const order = files.toSorted((a, b) => Number(b.includes("child")) - Number(a.includes("child")));
const starts = JSON.parse(await read("starts.json")) as Start[];

describe("the examples of the flow language", () => {
  it("use every field and every choice that the language has", async () => {
    const text = (await Promise.all(files.map(read))).join("\n");
    const words = new Set(text.match(/[A-Za-z][\w-]*/g));
    const wanted = new Set<string>();
    JSON.stringify(z.toJSONSchema(flowDefinition), (key, value) => {
      if (key === "properties") for (const name of Object.keys(value)) wanted.add(name);
      return value;
    });
    expect(wanted.size).toBeGreaterThan(50);
    expect([...wanted].filter((name) => !words.has(name))).toEqual([]);
  });

  it("have a start each, but for the flow that another one runs", async () => {
    const names = await Promise.all(files.map(async (file) => parse(await read(file)).flow));
    expect(starts.map(({ flow }) => flow).sort()).toEqual(names.filter((name) => name !== "greeting").sort());
  });
});

describe.each(drivers)("the examples of the flow language on %s", (driver) => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi(driver);
  });
  afterAll(() => api?.close());

  it("are valid for editors too, whose schema anybody may read", async () => {
    const answered = await api.ask("GET", "/v1/schemas/flow.json", undefined, { key: "" });
    expect(answered.headers.get("content-type")).toContain("application/schema+json");
    const check = new Ajv2020({ strict: false }).compile(answered.json);
    for (const file of files) {
      check(parse(await read(file)));
      expect(check.errors, file).toBeNull();
    }
    expect(check({ ...parse(await read("gate.yaml")), gates: 1 })).toBe(false);
  });

  it("are published, those that others run first", async () => {
    const { flows, admin } = api.app;
    for (const file of order) {
      const text = await read(file);
      expect((await flows.validate(admin.tenantId, text)).problems, file).toEqual([]);
      expect(await flows.publish(admin, text), file).toMatchObject({ created: true });
    }
  });

  it.each(starts)("$flow answers what it should", async ({ flow, params, output, signal, answer }) => {
    const { app } = api;
    const { id } = await app.runs.start(app.admin, { flow, params });
    if (signal) await app.runs.signal(app.admin, id, signal);
    if (answer) {
      await reach(app, app.admin, id, "waiting");
      const [gate] = await app.runs.listGates(app.admin, { runId: id, limit: 1 });
      expect(gate?.question).toBe('Send "Please pay 5." to Ana?');
      await app.runs.answerGate(app.admin, String(gate?.id), { decision: answer });
    }
    expect((await reach(app, app.admin, id, "completed")).output).toEqual(output);
  });

  it("[L6] [L8] a step for each item asks its condition once, and gives null and an error for what failed", async () => {
    const { flows, runs, admin } = api.app;
    const source = `
flow: each
version: 1.0.0
params: { go: { type: boolean }, texts: { type: array } }
steps:
  read:
    use: json.parse
    when: "{{ params.go }}"
    forEach: { items: "{{ params.texts }}", key: "{{ 'k' & index }}", onItemError: continue }
    with: { text: "{{ item }}" }
output: { status: "{{ steps.read.status }}", values: "{{ steps.read.output }}", errors: "{{ steps.read.errors }}" }
`;
    await flows.publish(admin, source);
    const outputOf = async (go: boolean) => {
      const { id } = await runs.start(admin, { flow: "each", params: { go, texts: ["1", "{", "[2]"] } });
      return (await reach(api.app, admin, id, "completed")).output;
    };
    expect(await outputOf(true)).toMatchObject({
      status: "completed",
      values: [1, null, [2]],
      errors: [{ index: 1, key: "k1", code: "JSON_MALFORMED", message: expect.any(String) }],
    });
    expect(await outputOf(false)).toMatchObject({ status: "skipped" });
  });
});
