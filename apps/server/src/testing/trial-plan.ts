/**
 * Plans of flows for trials: small enough to say by hand what a run of one must come to (oracle.ts), rich enough to
 * reach every construct of the language. A plan is plain data, so that it can be printed and read back.
 */

/** What the receiver answers the requests of a step. `busy-once`: the first of each key, then it takes them. */
export type Reply = "ok" | "refuse" | "busy" | "busy-once";

export type Work =
  | { readonly do: "give" }
  /** Its input cannot be parsed; an operator's edits mend that. */
  | { readonly do: "break" }
  /** `wms` takes idempotency keys, `mail` does not. */
  | { readonly do: "send"; readonly to: "wms" | "mail"; readonly reply: Reply }
  | { readonly do: "hold"; readonly vote: "approve" | "reject" }
  | { readonly do: "nap"; readonly ms: number }
  /** `sent` signals come for it. With a timeout, which of the two is first is open. */
  | { readonly do: "listen"; readonly timeout: boolean; readonly sent: number }
  | { readonly do: "child"; readonly plan: Plan };

/** Answers in the order of the questions; the last one counts for all that follow. */
export type GateAnswer = "continue" | "edit" | "retry" | "abort" | "silence";

export interface GatePlan {
  readonly answers: readonly GateAnswer[];
  /** Taken when nobody answers; null: the step fails. */
  readonly default: "continue" | "abort" | null;
}

export interface StepPlan {
  readonly name: string;
  readonly work: Work;
  readonly needs: readonly string[];
  /** It runs only when a failure of this step leads to it. */
  readonly handles?: string;
  readonly when: boolean | null;
  readonly each: { readonly count: number; readonly atOnce: number; readonly lenient: boolean } | null;
  /** Items that the receiver refuses. */
  readonly bad: readonly number[];
  readonly onError: "fail" | "continue" | "fallback" | "goto";
  readonly tries: number;
  readonly gate: GatePlan | null;
  readonly durable: boolean;
  readonly skippable: boolean;
}

export interface Plan {
  readonly steps: readonly StepPlan[];
  readonly parallel: number;
}

/** Flows by name; those that others run come first. */
export type Definitions = { readonly flow: string; readonly source: Record<string, unknown> }[];

export function defineFlows(name: string, plan: Plan): Definitions {
  const children: Definitions = [];
  const steps = Object.fromEntries(
    plan.steps.map((step) => [step.name, defineStep(name, plan, step, children)]),
  );
  const all = plan.steps.map((s) => `'${s.name}:' & ${readText(plan, s.name)}`).join(" & ';' & ");
  const source = {
    flow: name,
    version: "1.0.0",
    params: { v: { type: "string", default: "-" } },
    limits: { parallel: plan.parallel },
    steps,
    output: `{{ ${all} }}`,
  };
  return [...children, { flow: name, source }];
}

/** How an expression reads what a step came to, as text. */
export function readText(plan: Plan, name: string): string {
  const step = plan.steps.find((s) => s.name === name);
  const sends = step?.work.do === "send" || step?.work.do === "hold";
  const output = sends ? `steps.${name}.output.body.r` : `steps.${name}.output`;
  return `steps.${name}.status & '=' & $string(${sends && step?.each ? `[${output}]` : output})`;
}

/** The text that a step works on: what it is called, what came before it, which item it is. */
function workTextOf(plan: Plan, step: StepPlan): string {
  const sources = step.handles ? [step.handles] : step.needs;
  const parts = ["params.v", ...sources.map((n) => readText(plan, n))].join(" & ',' & ");
  return `{{ '${step.name}(' & ${parts} & ')'${step.each ? " & '#' & $string(index)" : ""} }}`;
}

/** A value in the shape of the step's own output. */
export const shaped = (step: StepPlan, text: string): unknown => {
  const one = step.work.do === "send" || step.work.do === "hold" ? { body: { r: text } } : text;
  return step.each ? [one] : one;
};

function defineStep(
  flow: string,
  plan: Plan,
  step: StepPlan,
  children: Definitions,
): Record<string, unknown> {
  const { each, gate } = step;
  return {
    ...defineWork(flow, plan, step, children),
    ...(step.needs.length > 0 ? { needs: step.needs } : {}),
    ...(step.when === null ? {} : { when: `{{ params.v ${step.when ? "!=" : "="} '' }}` }),
    ...(each ? { forEach: defineItems(each) } : {}),
    ...(step.tries > 1
      ? { retry: { attempts: step.tries, backoff: "fixed", initial: "3ms", max: "5ms" } }
      : {}),
    ...(step.onError === "fail" ? {} : { onError: handling(step) }),
    ...(gate ? { gate: defineGate(gate) } : {}),
    ...(step.durable && step.work.do === "give" ? { durable: true } : {}),
    ...(step.skippable && !gate ? { skippable: true } : {}),
  };
}

const defineItems = (each: NonNullable<StepPlan["each"]>) => ({
  items: Array.from({ length: each.count }, (_, n) => n),
  concurrency: each.atOnce,
  ...(each.lenient ? { onItemError: "continue" } : {}),
});

const defineGate = (gate: GatePlan) => ({
  question: "Go on?",
  ...(gate.answers.at(-1) === "silence" ? { timeout: "40ms" } : {}),
  ...(gate.answers.at(-1) === "silence" && gate.default ? { default: gate.default } : {}),
});

const handling = (step: StepPlan): unknown =>
  step.onError === "continue"
    ? "continue"
    : step.onError === "goto"
      ? { goto: `h-${step.name}` }
      : { fallback: shaped(step, `fallback-${step.name}`) };

function defineWork(
  flow: string,
  plan: Plan,
  step: StepPlan,
  children: Definitions,
): { readonly use: string; readonly with: Record<string, unknown> } {
  const { work } = step;
  const v = workTextOf(plan, step);
  switch (work.do) {
    case "give":
      return { use: "noop", with: { output: v } };
    case "break":
      return { use: "json.parse", with: { text: "{" } };
    case "send":
      return {
        use: "http.request",
        with: { ...toReceiver(work.to, step, v), body: bodyOf(step, v, work.reply) },
      };
    case "hold":
      return {
        use: "http.request",
        with: { ...toReceiver("wms", step, v), body: { ...bodyOf(step, v, "ok"), hold: true } },
      };
    case "nap":
      return { use: "wait", with: { for: `${work.ms}ms` } };
    case "listen":
      return {
        use: "wait",
        with: { signal: `s-${step.name}`, ...(work.timeout ? { timeout: "40ms" } : {}) },
      };
    case "child": {
      const name = `${flow}-${step.name}`;
      children.push(...defineFlows(name, work.plan));
      return { use: "flow", with: { flow: name, params: { v } } };
    }
  }
}

const toReceiver = (to: string, step: StepPlan, _v: string) => ({
  connection: to,
  method: "POST",
  path: `/${to}/${step.name}`,
});

/** `k` names the request among all of the trial: the run, the step, the item. */
const bodyOf = (step: StepPlan, v: string, reply: Reply) => ({
  k: `{{ run.id }}/${step.name}${step.each ? "/{{ index }}" : ""}`,
  v,
  reply: step.bad.length === 0 ? reply : `{{ index in ${JSON.stringify(step.bad)} ? 'refuse' : '${reply}' }}`,
});
