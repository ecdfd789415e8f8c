/** Which orders a run takes in which state, as a whole table. */
import { describe, expect, it } from "vitest";
import { type Head, type RunStatus, runStatuses, runTransitions, type TakenRun } from "#orchestrate/engine";
import { type CompiledFlow, compileFlow } from "#orchestrate/flows";
import { isOarsError, newId } from "#platform/kernel";
import {
  decideAbort,
  decideEdit,
  decidePause,
  decideResume,
  decideRetry,
  decideSkip,
  type Situation,
} from "./decisions.ts";

const kinds = {
  find: () => ({ name: "noop", version: 1, pure: true, config: undefined as never }),
  names: () => ["noop"],
};
const flow: CompiledFlow = compileFlow(
  {
    flow: "f",
    version: "1.0.0",
    steps: {
      a: { use: "noop", skippable: true },
      b: { use: "noop", needs: ["a"] },
      caught: { use: "noop", onError: { goto: "handler" } },
      handler: { use: "noop" },
      end: { use: "noop", needs: ["b", "caught"] },
    },
  },
  kinds,
);

const run = (status: RunStatus, more: Partial<TakenRun> = {}): TakenRun => ({
  tenantId: newId(),
  id: newId(),
  status,
  flowName: "f",
  flowVersion: "1.0.0",
  flowHash: flow.hash,
  principalId: newId(),
  epoch: 1,
  wakeSeq: 0,
  lastSeq: 3,
  pausedAt: null,
  parentRunId: null,
  concurrencyKey: null,
  signed: false,
  error: null,
  endedAt: null,
  ...more,
});
const situation = (
  status: RunStatus,
  heads: Record<string, Head["event"]>,
  more: Partial<TakenRun> & { openActions?: Situation["openActions"] } = {},
): Situation => ({
  run: run(status, more),
  flow,
  heads: Object.entries(heads).map(([step, event]) => ({ step, event, iteration: 0, attempt: 2 })),
  openActions: more.openActions ?? [],
});
/** `ok`, or the code of the refusal, which always says how the run stands unless it names a step that is not there. */
const outcome = (decide: () => unknown): string => {
  try {
    decide();
    return "ok";
  } catch (error) {
    if (!isOarsError(error)) throw error;
    if (error.code !== "STEP_NOT_FOUND")
      expect(error.current).toMatchObject({ status: expect.any(String), etag: expect.any(String) });
    return error.code;
  }
};

describe("orders on whole runs", () => {
  const paused = new Date();
  it.each(runStatuses)("[R1] are taken in status %s exactly where the run's table has a way", (status) => {
    const there = (event: keyof (typeof runTransitions)["queued"]) => runTransitions[status][event] !== null;
    const plain = { run: run(status) };
    expect(outcome(() => decideAbort(plain)) === "ok").toBe(there("abort"));
    expect(outcome(() => decidePause(plain)) === "ok").toBe(there("pause"));
    expect(outcome(() => decideResume({ run: run(status, { pausedAt: paused }) })) === "ok").toBe(
      there("resume"),
    );
    expect(outcome(() => decideRetry(situation(status, { a: "failed" }), "a")) === "ok").toBe(
      there("reopen") || status === "waiting",
    );
    expect(outcome(() => decideResume(plain))).not.toBe("ok");
  });

  it("a run that is paused is not paused again", () => {
    expect(outcome(() => decidePause({ run: run("waiting", { pausedAt: paused }) }))).toBe(
      "RUN_STATE_CONFLICT",
    );
  });
});

describe("a retry", () => {
  const retry = (s: Situation, step?: string) => outcome(() => decideRetry(s, step));
  it.each<[Head["event"] | null, string]>([
    ["failed", "ok"],
    ["completed", "STEP_STATE_CONFLICT"],
    ["skipped", "STEP_STATE_CONFLICT"],
    ["waiting", "STEP_STATE_CONFLICT"],
    ["retrying", "STEP_STATE_CONFLICT"],
    ["gated", "STEP_STATE_CONFLICT"],
    [null, "STEP_STATE_CONFLICT"],
  ])("of a step that is %s: %s", (event, expected) => {
    expect(retry(situation("failed", event ? { a: event } : {}), "a")).toBe(expected);
  });

  it("without a step takes those that nothing handled, each with its attempt", () => {
    const all = decideRetry(
      situation("failed", { a: "failed", caught: "failed", handler: "completed" }),
      undefined,
    );
    expect(all.map((t) => [t.step.name, t.attempt])).toEqual([["a", 2]]);
  });

  it("of a run that failed without a failed step takes none, and of one that waits is refused", () => {
    expect(decideRetry(situation("failed", { a: "completed" }), undefined)).toEqual([]);
    expect(retry(situation("waiting", { a: "waiting" }))).toBe("RUN_STATE_CONFLICT");
  });

  it("is refused where its failure led somewhere, where an effect is open, and in a sub-run that has failed", () => {
    expect(retry(situation("waiting", { caught: "failed", handler: "waiting" }), "caught")).toBe(
      "STEP_IN_USE",
    );
    expect(retry(situation("waiting", { caught: "failed" }), "caught")).toBe("ok");
    const openActions = [{ id: newId(), step: "a", state: "in_doubt" }];
    expect(retry(situation("failed", { a: "failed" }, { openActions }), "a")).toBe("STEP_ACTION_OPEN");
    expect(retry(situation("failed", { a: "failed" }, { parentRunId: newId() }), "a")).toBe("RUN_HAS_PARENT");
    expect(retry(situation("waiting", { a: "failed" }, { parentRunId: newId() }), "a")).toBe("ok");
    expect(retry(situation("failed", {}), "nope")).toBe("STEP_NOT_FOUND");
  });
});

describe("a skip", () => {
  const skip = (s: Situation, step?: string) => outcome(() => decideSkip(s, step));
  it.each<[Head["event"] | null, string]>([
    ["failed", "ok"],
    ["waiting", "ok"],
    ["retrying", "ok"],
    [null, "ok"],
    ["completed", "STEP_STATE_CONFLICT"],
    ["skipped", "STEP_STATE_CONFLICT"],
  ])("of a skippable step that is %s: %s", (event, expected) => {
    expect(skip(situation("failed", event ? { a: event } : {}), "a")).toBe(expected);
  });

  it("is refused of a step that is not skippable, in use or under way, and where no step is meant", () => {
    expect(skip(situation("failed", { b: "failed" }), "b")).toBe("STEP_NOT_SKIPPABLE");
    expect(skip(situation("failed", { b: "failed" }))).toBe("STEP_NOT_SKIPPABLE");
    const openActions = [{ id: newId(), step: "a", state: "executing" }];
    expect(skip(situation("waiting", { a: "waiting" }, { openActions }), "a")).toBe("STEP_ACTION_OPEN");
    expect(skip(situation("failed", {}))).toBe("RUN_STATE_CONFLICT");
    expect(skip(situation("running", { a: "failed" }), "a")).toBe("RUN_STATE_CONFLICT");
    expect(skip(situation("completed", { a: "failed" }), "a")).toBe("RUN_ENDED");
  });
});

it("an output is edited only of a step that completed and that nothing has used", () => {
  const edit = (s: Situation, step = "a") => outcome(() => decideEdit(s, step));
  expect(edit(situation("waiting", { a: "completed" }))).toBe("ok");
  expect(edit(situation("failed", { a: "completed" }))).toBe("ok");
  expect(edit(situation("waiting", { a: "completed", b: "waiting" }))).toBe("STEP_IN_USE");
  expect(edit(situation("waiting", { a: "failed" }))).toBe("STEP_STATE_CONFLICT");
  expect(edit(situation("running", { a: "completed" }))).toBe("RUN_STATE_CONFLICT");
  expect(edit(situation("aborted", { a: "completed" }))).toBe("RUN_ENDED");
});
