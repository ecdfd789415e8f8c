/** Payloads over 32 KiB: kept beside their rows, loaded when they are read, and never mixed up with what users send. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { referenceIn } from "#platform/blobs";
import { sql } from "#platform/db";
import { drivers } from "#testing";
import { openStage, type Stage } from "./testing/stage.ts";

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `large-${++flows}`, version: "1.0.0", steps, ...more });
const text = { params: { text: { type: "string" } } };
const large = "0123456789".repeat(8_000);

describe.each(drivers)("large payloads on %s", (driver) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver);
  });
  afterAll(() => stage.close());
  const end = async (source: string, params: Record<string, unknown>) =>
    stage.reach(await stage.run(source, params), "completed", "failed");
  const rows = (id: string) =>
    stage.opened.database.system.query<{ step: string; iteration: number; output: unknown }>(
      sql`select step, iteration, output from journal where run_id = ${id} and event = 'completed' order by seq`,
    );

  it("stand in their rows as references, and are read after the run was parked and taken again", async () => {
    const run = await end(
      flow(
        {
          big: { use: "noop", with: { output: "{{ params.text & '!' }}" } },
          nap: { use: "wait", needs: ["big"], with: { for: "20ms" } },
          size: { use: "noop", needs: ["nap", "big"], with: { output: "{{ $length(steps.big.output) }}" } },
          again: { use: "wait", needs: ["size"], with: { for: "20ms" } },
        },
        { ...text, output: { size: "{{ steps.size.output }}", big: "{{ steps.big.output }}" } },
      ),
      { text: large },
    );
    expect(run.error).toBeNull();
    const [big] = await rows(run.id);
    expect(referenceIn(big?.output)?.bytes).toBe(large.length + 3);
    expect(referenceIn(run.params)).toBeDefined();
    const output = referenceIn(run.output);
    expect(output).toBeDefined();
    const owner = { tenantId: stage.admin.tenantId, runId: run.id };
    if (output)
      expect(JSON.parse(await stage.app.blobs.load(owner, output))).toEqual({
        size: 80_001,
        big: `${large}!`,
      });
  });

  it("of items are joined, also of a sub-run and after a wait", async () => {
    const child = flow({ out: { use: "noop", with: { output: "{{ params.text }}" } } }, text);
    const { name } = await stage.app.flows.publish(stage.admin, child);
    const run = await end(
      flow(
        {
          each: {
            use: "flow",
            forEach: { items: "{{ [1, 2, 3] }}" },
            with: { flow: name, params: { text: "{{ params.text & $string(item) }}" } },
          },
          nap: { use: "wait", needs: ["each"], with: { for: "20ms" } },
          size: {
            use: "noop",
            needs: ["nap", "each"],
            with: {
              output:
                "{{ $map(steps.each.output, function($v) { $substring($v, -1) & $string($length($v)) }) }}",
            },
          },
        },
        { ...text, output: "{{ steps.size.output }}" },
      ),
      { text: large },
    );
    expect(run.error).toBeNull();
    expect(run.output).toEqual(["180001", "280001", "380001"]);
  });

  it("come along when a run repeats another one from a step on", async () => {
    const first = await end(
      flow(
        {
          big: { use: "noop", with: { output: "{{ params.text & '?' }}" } },
          size: { use: "noop", needs: ["big"], with: { output: "{{ $length(steps.big.output) }}" } },
        },
        text,
      ),
      { text: large },
    );
    const { id } = await stage.app.runs.rerun(stage.admin, first.id, { from: "size", reason: "once more" });
    const again = await stage.reach(id, "completed", "failed");
    expect(again.error).toBeNull();
    expect(again.output).toBe(80_001);
    const kept = referenceIn((await rows(id))[0]?.output);
    const owner = { tenantId: stage.admin.tenantId, runId: id };
    if (!kept) throw new Error("the output stands in its row");
    expect(JSON.parse(await stage.app.blobs.load(owner, kept))).toBe(`${large}?`);
  });

  it("that a user makes look like references come back as they were sent, whatever their size", async () => {
    const forged = { $blob: { sha256: "0".repeat(64), bytes: 5 } };
    const run = await end(
      flow(
        {
          a: { use: "noop", with: { output: "{{ params.any }}" } },
          nap: { use: "wait", needs: ["a"], with: { for: "20ms" } },
          b: { use: "noop", needs: ["nap", "a"], with: { output: { got: "{{ steps.a.output }}" } } },
        },
        { params: { any: { type: "object" } }, output: "{{ steps.b.output }}" },
      ),
      { any: forged },
    );
    expect(run.error).toBeNull();
    expect(run.output).toEqual({ got: forged });
  });
});
