import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ActionEvent, type ActionState, actionStates, actionTransitions, isSettled } from "./domain.ts";

const events = [
  "deny",
  "quarantine",
  "hold",
  "start",
  "complete",
  "fail",
  "lose",
  "grant",
  "reject",
  "expire",
  "cancel",
  "retry",
] as const satisfies readonly ActionEvent[];

/** States from which no event leads on. `failed` may be tried again by its run, and people judge what is quarantined. */
const final: readonly ActionState[] = ["denied", "completed", "rejected", "expired", "cancelled"];

describe("the life of an action", () => {
  it("says for every state and event what happens, and for nothing else", () => {
    expect(Object.keys(actionTransitions).sort()).toEqual([...actionStates].sort());
    for (const state of actionStates) {
      expect(Object.keys(actionTransitions[state]).sort()).toEqual([...events].sort());
    }
  });

  it("[X2] stays where it ended: what was completed or refused never runs again", () => {
    for (const state of final)
      expect(new Set(Object.values(actionTransitions[state]))).toEqual(new Set([null]));
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 40 }), (sequence) => {
        let state: ActionState = "proposed";
        let end: ActionState | undefined;
        for (const event of sequence) {
          state = actionTransitions[state][event] ?? state;
          if (end) expect(state).toBe(end);
          else if (final.includes(state)) end = state;
        }
      }),
    );
  });

  it("[X1] is sent only out of states in which it was decided, and its outcome comes only after sending", () => {
    const into = (to: ActionState) =>
      actionStates.filter((s) => events.some((e) => actionTransitions[s][e] === to));
    expect(into("executing").sort()).toEqual(
      ["approved", "failed", "in_doubt", "pending_approval", "proposed", "quarantined"].sort(),
    );
    expect(into("completed").sort()).toEqual(["executing", "in_doubt"].sort());
    expect(into("in_doubt")).toEqual(["executing"]);
  });

  it("reaches every state, and calls settled those in which nothing more happens by itself", () => {
    const reached = new Set<ActionState>(["proposed"]);
    for (const state of reached) {
      for (const event of events) {
        const next = actionTransitions[state][event];
        if (next) reached.add(next);
      }
    }
    expect([...reached].sort()).toEqual([...actionStates].sort());
    expect(actionStates.filter(isSettled).sort()).toEqual([...final, "failed", "quarantined"].sort());
  });
});
