/** Plans that lead a worker over every named point, and the points at which their trials kill it. */
import { type FaultPoint, faultPoints } from "#platform/kernel";
import type { Scenario } from "./trial.ts";
import type { Plan, StepPlan, Work } from "./trial-plan.ts";

const step = (name: string, work: Work, more: Partial<StepPlan> = {}): StepPlan => ({
  name,
  work,
  needs: name === "s0" ? [] : ["s0"],
  when: null,
  each: null,
  bad: [],
  onError: "fail",
  tries: 1,
  gate: null,
  durable: false,
  skippable: false,
  ...more,
});

const send: Work = { do: "send", to: "wms", reply: "ok" };
const mail: Work = { do: "send", to: "mail", reply: "ok" };
const grandchild: Plan = { parallel: 2, steps: [step("s0", send), step("s1", { do: "nap", ms: 5 })] };
const child: Plan = {
  parallel: 2,
  steps: [step("s0", { do: "give" }), step("s1", { do: "child", plan: grandchild })],
};

/** A step of every kind; the last one fails until somebody mends it. */
const rich: Plan = {
  parallel: 12,
  steps: [
    step("s0", { do: "give" }, { durable: true }),
    step("s1", { do: "send", to: "wms", reply: "busy-once" }, { tries: 3 }),
    step("s2", mail),
    step("s3", { do: "hold", vote: "approve" }),
    step("s4", send, { each: { count: 3, atOnce: 2, lenient: false } }),
    step("s5", { do: "child", plan: child }),
    step("s6", { do: "nap", ms: 8 }),
    step("s7", { do: "listen", timeout: false, sent: 1 }),
    step("s8", { do: "give" }, { gate: { answers: ["continue"], default: null } }),
    step("s9", { do: "give" }, { gate: { answers: ["silence"], default: "continue" } }),
    step("s10", { do: "break" }, { needs: ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"] }),
  ],
};

/** It fails while a sub-run is under way. */
const doomed: Plan = {
  parallel: 4,
  steps: [
    step("s0", { do: "nap", ms: 5 }),
    step(
      "s1",
      { do: "child", plan: { parallel: 1, steps: [step("s0", { do: "nap", ms: 300 })] } },
      { needs: [] },
    ),
    step("s2", { do: "break" }),
  ],
};

const letter: Plan = { parallel: 1, steps: [step("s0", mail), step("s1", send)] };
const parcel: Plan = { parallel: 1, steps: [step("s0", send)] };

const ofRuns = /^(runs|triggers|engine|actions|jobs)\./;

/** Points that work of runs comes to. Others, as of credentials and keys, are tried where their rooms are. */
export const runPoints: readonly FaultPoint[] = faultPoints.filter((point) => ofRuns.test(point));

/** Points that are reached only by what these plans do not have: servers alone are killed there. */
export const serverPoints: readonly FaultPoint[] = [
  "triggers.after-accept",
  "engine.in-admission",
  "engine.after-admission",
  "engine.after-cache",
];

const afterDeath: Partial<Record<FaultPoint, Plan>> = {
  "actions.after-doubt": letter,
  "actions.before-adopt": parcel,
  "actions.after-adopt": parcel,
};

/** One death at the `hit`-th time that the point is reached; where it takes a death to come there, two. */
export function scenarioAt(point: FaultPoint, hit: number): Scenario {
  const first = { point: "actions.after-propose", hit: 1 } as const;
  const takesDeath = point.endsWith("-takeover");
  const left = afterDeath[point];
  const end = point === "engine.after-cancel" || point === "engine.after-abandon";
  const plan = left ?? (end ? doomed : rich);
  return {
    plans: [plan],
    runs: [{ plan: 0, twice: false }],
    misfortunes: [],
    mustDie: true,
    kills: [...(left || takesDeath ? [first] : []), { point, hit: left || takesDeath || end ? 1 : hit }],
    orders: [],
    heal: end ? 0 : 2,
  };
}
