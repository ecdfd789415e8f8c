import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  freshState,
  isEnded,
  type RunEvent,
  type RunStatus,
  readiness,
  retryDelay,
  runStatuses,
  runTransitions,
  type StepShape,
  type StepState,
} from "./domain.ts";

const events = [
  "claim",
  "park",
  "wake",
  "release",
  "complete",
  "fail",
  "abort",
  "pause",
  "resume",
  "reopen",
] as const;
const byPeople: readonly RunEvent[] = ["abort", "reopen"];

describe("the life of a run", () => {
  it("[R1] says for every status and event what happens, and for nothing else", () => {
    expect(Object.keys(runTransitions).sort()).toEqual([...runStatuses].sort());
    for (const status of runStatuses) {
      expect(Object.keys(runTransitions[status]).sort()).toEqual([...events].sort());
      for (const next of Object.values(runTransitions[status])) {
        expect(next === null || runStatuses.includes(next)).toBe(true);
      }
    }
  });

  it("[R1] ends once: only a person reopens or aborts what failed, and nothing changes what completed or was aborted", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 40 }), (sequence) => {
        let status: RunStatus = "queued";
        let endedAs: RunStatus | undefined;
        for (const event of (sequence as RunEvent[]).filter((e) => !byPeople.includes(e))) {
          status = runTransitions[status][event] ?? status;
          if (endedAs) expect(status).toBe(endedAs);
          else if (isEnded(status)) endedAs = status;
        }
      }),
    );
    for (const status of ["completed", "aborted"] as const) {
      expect(Object.values(runTransitions[status])).toEqual(events.map(() => null));
    }
    for (const event of events) {
      const next = { abort: "aborted", reopen: "queued" }[event as string] ?? null;
      expect(runTransitions.failed[event]).toBe(next);
    }
  });

  it("[R1] can be aborted for as long as it has not completed, and reaches every status", () => {
    const reached = new Set<RunStatus>(["queued"]);
    for (const from of reached) {
      for (const event of events) {
        const next = runTransitions[from][event];
        if (next) reached.add(next);
      }
      expect(runTransitions[from].abort).toBe(["completed", "aborted"].includes(from) ? null : "aborted");
    }
    expect([...reached].sort()).toEqual([...runStatuses].sort());
  });

  it("[R4] only an owner parks, completes or fails a run, and only what waits is woken into the queue", () => {
    const from = (event: RunEvent, to: RunStatus) =>
      runStatuses.filter((s) => runTransitions[s][event] === to);
    expect(from("park", "waiting")).toEqual(["running"]);
    expect(from("complete", "completed")).toEqual(["running"]);
    expect(from("fail", "failed")).toEqual(["running"]);
    expect(from("claim", "running")).toEqual(["queued"]);
    expect(from("wake", "queued")).toEqual(["queued", "waiting"]);
  });
});

/** A step of a random flow: what it needs, where its failure leads, and how it is going to end. */
interface Plan extends StepShape {
  readonly goto: number | null;
  readonly end: "completed" | "failed" | "continued" | "skipped";
}

const plans: fc.Arbitrary<Plan[]> = fc
  .array(
    fc.record({
      needs: fc.array(fc.nat(), { maxLength: 3 }),
      goto: fc.option(fc.nat(), { freq: 3 }),
      end: fc.constantFrom("completed", "completed", "failed", "continued", "skipped" as const),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .map((raw) => {
    const targets = new Set(
      raw.flatMap((r, i) => (r.goto === null || i + 1 >= raw.length ? [] : [forward(i, r.goto, raw.length)])),
    );
    return raw.map((r, index): Plan => {
      const handler = targets.has(index);
      return {
        index,
        handler,
        needs:
          handler || index === 0 ? [] : [...new Set(r.needs.map((n) => n % index))].sort((a, b) => a - b),
        goto: r.goto === null || index + 1 >= raw.length ? null : forward(index, r.goto, raw.length),
        end: r.end as Plan["end"], // of the list above
      };
    });
  });

const forward = (from: number, choice: number, length: number): number =>
  from + 1 + (choice % (length - from - 1));

/** Settles a step as the engine does. */
function settle(plan: Plan, state: StepState, end: Plan["end"]): void {
  state.status = end === "completed" ? "completed" : end === "skipped" ? "skipped" : "failed";
  state.diverted = state.status === "failed" && plan.goto !== null;
}

/** Runs a flow to its end, settling ready steps in a random order; gives the order. */
function play(flow: readonly Plan[], choices: readonly number[]): { states: StepState[]; ran: number[] } {
  const states = flow.map(freshState);
  const ran: number[] = [];
  const sourcesOf = flow.map((s) => flow.filter((o) => o.goto === s.index));
  for (let turn = 0; ; turn++) {
    const pending = flow.filter((s) => states[s.index]?.status === "pending");
    if (pending.length === 0) return { states, ran };
    const ready = pending.flatMap((step) => {
      const how = readiness(step, sourcesOf[step.index] ?? [], states);
      return how === "blocked" ? [] : [{ step, how }];
    });
    const next = ready[(choices[turn % choices.length] ?? 0) % ready.length];
    if (!next) throw new Error(`stuck with ${pending.map((s) => s.index).join(", ")}`);
    const state = states[next.step.index] as StepState; // one state for each step
    if (next.how === "run") ran.push(next.step.index);
    settle(next.step, state, next.how === "skip" ? "skipped" : next.step.end);
  }
}

const choices = fc.array(fc.nat(), { minLength: 1, maxLength: 20 });

describe("readiness", () => {
  it("brings every flow to an end, whatever its steps come to and in whatever order", () => {
    fc.assert(
      fc.property(plans, choices, (flow, order) => void play(flow, order)),
      { numRuns: 500 },
    );
  });

  it("runs a step only when all it needs has ended and at least one of them gave something", () => {
    fc.assert(
      fc.property(plans, choices, (flow, order) => {
        const { states, ran } = play(flow, order);
        const place = new Map(ran.map((index, at) => [index, at]));
        for (const step of flow.filter((s) => !s.handler && s.needs.length > 0)) {
          const gave = step.needs.filter((n) => {
            const need = states[n];
            return need?.status === "completed" || (need?.status === "failed" && !need.diverted);
          });
          expect(place.has(step.index)).toBe(gave.length > 0);
          for (const n of gave) expect(place.get(n)).toBeLessThan(place.get(step.index) ?? 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("runs a handler when a failure leads to it and at no other time", () => {
    fc.assert(
      fc.property(plans, choices, (flow, order) => {
        const { states, ran } = play(flow, order);
        for (const step of flow.filter((s) => s.handler)) {
          const led = flow.some((o) => o.goto === step.index && states[o.index]?.diverted);
          expect(ran.includes(step.index)).toBe(led);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("holds a step back while one of its needs runs or waits", () => {
    const step = { index: 1, handler: false, needs: [0] };
    for (const status of ["pending", "running", "waiting"] as const) {
      expect(readiness(step, [], [{ ...freshState(), status }, freshState()])).toBe("blocked");
    }
  });
});

describe("the pause before a retry", () => {
  const rule = fc.record({
    backoff: fc.constantFrom("fixed" as const, "exponential" as const),
    initialMs: fc.integer({ min: 1, max: 100_000 }),
    maxMs: fc.integer({ min: 1, max: 1_000_000 }),
  });
  const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it("is never longer than the maximum and a tenth, never negative, whatever the attempt", () => {
    fc.assert(
      fc.property(rule, fc.integer({ min: 2, max: 5_000 }), unit, (retry, next, chance) => {
        const ms = retryDelay(retry, next, chance);
        expect(Number.isInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(Math.min(retry.initialMs, retry.maxMs));
        expect(ms).toBeLessThanOrEqual(Math.round(retry.maxMs * 1.1));
      }),
    );
  });

  it("doubles from the first retry on when exponential, and stays when fixed", () => {
    const at = (backoff: "fixed" | "exponential", next: number) =>
      retryDelay({ backoff, initialMs: 100, maxMs: 1_000 }, next, 0);
    expect([2, 3, 4, 5, 6, 7].map((n) => at("exponential", n))).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect([2, 3, 9].map((n) => at("fixed", n))).toEqual([100, 100, 100]);
  });
});
