/** Random plans. Whatever is drawn is put right, so that every plan can be published. */
import fc from "fast-check";
import type { Scenario } from "./trial.ts";
import type { GateAnswer, Plan, StepPlan, Work } from "./trial-plan.ts";
import { runPoints } from "./trial-points.ts";

const reply = fc.constantFrom("ok", "ok", "ok", "busy-once", "busy-once", "refuse", "busy");

function work(depth: number): fc.Arbitrary<Work> {
  const own: fc.WeightedArbitrary<Work>[] = [
    { weight: 6, arbitrary: fc.constant({ do: "give" }) },
    { weight: 1, arbitrary: fc.constant({ do: "break" }) },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant("send"), to: fc.constantFrom("wms", "mail"), reply }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("hold"), vote: fc.constantFrom("approve", "reject") }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("nap"), ms: fc.integer({ min: 1, max: 25 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("listen"),
        timeout: fc.boolean(),
        sent: fc.integer({ min: 0, max: 2 }),
      }),
    },
  ];
  if (depth > 0)
    own.push({ weight: 2, arbitrary: fc.record({ do: fc.constant("child"), plan: planOf(depth - 1) }) });
  return fc.oneof(...own);
}

const answer = fc.constantFrom<GateAnswer>(
  "continue",
  "continue",
  "edit",
  "retry",
  "retry",
  "abort",
  "silence",
);

const gate = fc.record({
  answers: fc.array(answer, { minLength: 1, maxLength: 3 }),
  default: fc.constantFrom("continue", "abort", null),
});

/** Nulls often: what is rare in a flow is rare here. */
const seldom = <T>(value: fc.Arbitrary<T>, weight = 4): fc.Arbitrary<T | null> =>
  fc.oneof({ weight, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });

const draft = (depth: number) =>
  fc.record({
    work: work(depth),
    needs: fc.array(fc.nat({ max: 5 }), { maxLength: 3 }),
    when: seldom(fc.constantFrom(true, false, false), 6),
    each: seldom(
      fc.record({
        count: fc.integer({ min: 0, max: 4 }),
        atOnce: fc.integer({ min: 1, max: 3 }),
        lenient: fc.boolean(),
      }),
    ),
    bad: fc.array(fc.nat({ max: 3 }), { maxLength: 1 }),
    onError: fc.constantFrom("fail", "fail", "continue", "fallback", "goto"),
    tries: fc.constantFrom(1, 1, 2, 3),
    gate: seldom(gate, 6),
    durable: fc.boolean(),
    skippable: fc.boolean(),
  });

type Draft = ReturnType<typeof draft> extends fc.Arbitrary<infer T> ? T : never;

export const planOf = (depth: number): fc.Arbitrary<Plan> =>
  fc
    .record({
      drafts: fc.array(draft(depth), { minLength: 1, maxLength: depth === 2 ? 6 : 3 }),
      parallel: fc.integer({ min: 1, max: 4 }),
    })
    .map(({ drafts, parallel }) => ({ parallel, steps: drafts.flatMap(putRight) }));

function putRight(drawn: Draft, n: number): StepPlan[] {
  const name = `s${n}`;
  const needs = [...new Set(drawn.needs.filter((d) => d < n))].sort().map((d) => `s${d}`);
  const each = drawn.each;
  const work = tame(drawn.work, each !== null);
  const sends = work.do === "send";
  const answers = ended(drawn.gate?.answers ?? [], work.do === "listen");
  const step: StepPlan = {
    ...drawn,
    name,
    needs,
    each,
    work,
    bad: each && sends ? drawn.bad.filter((i) => i < each.count) : [],
    tries: sends && work.reply === "busy-once" ? Math.max(2, drawn.tries) : drawn.tries,
    gate: drawn.gate ? { ...drawn.gate, answers } : null,
  };
  if (step.onError !== "goto") return [step];
  const handler = {
    work: { do: "give" },
    needs: [],
    when: null,
    each: null,
    bad: [],
    onError: "fail",
  } as const;
  const rest = { tries: 1, gate: null, durable: false, skippable: false };
  return [step, { name: `h-${name}`, handles: name, ...handler, ...rest }];
}

/** A signal that never comes is waited for in time only; items listen without a race. */
function tame(work: Work, each: boolean): Work {
  if (work.do !== "listen") return work;
  if (work.sent === 0) return { ...work, timeout: true };
  return each ? { ...work, timeout: false } : work;
}

/**
 * Nobody asks for another attempt for ever, nor of a step whose signal has been used; where nobody answers at last,
 * nobody answers at all.
 */
function ended(answers: readonly GateAnswer[], once: boolean): GateAnswer[] {
  if (answers.includes("silence")) return ["silence"];
  const said = once ? answers.filter((a) => a !== "retry") : answers;
  return said.every((a) => a === "retry") ? [...said, "continue"] : [...said];
}

const misfortune = fc.record({
  at: fc.integer({ min: 1, max: 150 }),
  what: fc.constantFrom(
    "die-before",
    "die-after",
    "fail",
    "lose-answer",
    "rob",
    "jump",
    "tell-twice",
    "late",
  ),
});

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  plans: fc.array(planOf(2), { minLength: 1, maxLength: 2 }),
  runs: fc.array(fc.record({ plan: fc.nat({ max: 1 }), twice: fc.boolean() }), {
    minLength: 1,
    maxLength: 4,
  }),
  misfortunes: fc.array(misfortune, { maxLength: 4 }),
  kills: fc.array(fc.record({ point: fc.constantFrom(...runPoints), hit: fc.integer({ min: 1, max: 6 }) }), {
    maxLength: 2,
  }),
  orders: fc.array(
    fc.record({
      turn: fc.integer({ min: 1, max: 30 }),
      run: fc.nat({ max: 3 }),
      what: fc.constantFrom("pause", "pause", "abort", "edit"),
    }),
    { maxLength: 2 },
  ),
  heal: fc.nat({ max: 2 }),
});
