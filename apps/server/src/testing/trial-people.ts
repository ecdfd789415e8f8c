/** The people of a trial: they answer gates, vote, settle doubts, send signals, and put failed runs right. */
import { sql } from "#platform/db";
import { isOarsError } from "#platform/kernel";
import { type Deeds, noDeeds } from "./trial-facts.ts";
import { type Plan, type StepPlan, shaped } from "./trial-plan.ts";
import { KilledAt } from "./trial-worker.ts";
import type { World } from "./trial-world.ts";

export interface Watched {
  readonly id: string;
  readonly flow: string;
  readonly status: string;
  readonly paused: boolean;
  readonly parentId: string | null;
}

export interface Order {
  /** At which look of the people. */
  readonly turn: number;
  readonly run: number;
  readonly what: "pause" | "abort" | "edit";
}

export interface People {
  readonly deeds: ReadonlyMap<string, Deeds>;
  /** Actions in doubt that were sent once more, by run and step. */
  readonly resends: ReadonlyMap<string, number>;
  /** What was ordered and carried out, by run. */
  readonly done: ReadonlyMap<string, readonly string[]>;
  /** One look at everything. True while there is something to wait for. */
  attend(runs: readonly Watched[]): Promise<void>;
  /** Whether a failed run has an order coming. */
  willHeal(run: Watched): boolean;
}

export interface Task {
  readonly plans: ReadonlyMap<string, Plan>;
  readonly orders: readonly Order[];
  /** How often a failed run is put right. */
  readonly heal: number;
}

export function createPeople(world: World, task: Task): People {
  const deeds = new Map<string, Deeds>();
  const resends = new Map<string, number>();
  const done = new Map<string, string[]>();
  const answered = new Map<string, number>();
  const signalled = new Map<string, number>();
  const healed = new Map<string, number>();
  const ordered = new Set<number>();
  const pausedSince = new Map<string, number>();
  const { door, admin, approver } = world;
  let turn = 0;

  const deedsOf = (id: string): Deeds => {
    const known = deeds.get(id) ?? noDeeds();
    deeds.set(id, known);
    return known;
  };
  const note = (id: string, what: string): void => {
    done.set(id, [...(done.get(id) ?? []), what]);
  };
  /** Refusals tell that the run has moved on, which is as good. Undefined: whoever was asked died, and nobody knows. */
  const unless = async (work: () => Promise<unknown>): Promise<boolean | undefined> => {
    try {
      await work();
      return true;
    } catch (error) {
      if (isOarsError(error) && error.status < 500) return false;
      if (error instanceof KilledAt) return undefined;
      throw error;
    }
  };
  const stepOf = (run: Watched, name: string): StepPlan => {
    const step = task.plans.get(run.flow)?.steps.find((s) => s.name === name);
    if (!step) throw new Error(`${run.flow} has no step ${name}`);
    return step;
  };
  const by = (runs: readonly Watched[], id: string | null) => runs.find((r) => r.id === id);

  const answerGates = async (runs: readonly Watched[]): Promise<void> => {
    for (const gate of await door.runs.listGates(admin, { status: "open", limit: 100 })) {
      const run = by(runs, gate.runId);
      if (!run) continue;
      const step = stepOf(run, gate.step);
      const place = `${run.id}/${gate.step}`;
      const nth = answered.get(place) ?? 0;
      const answer = step.gate?.answers[Math.min(nth, (step.gate?.answers.length ?? 1) - 1)];
      if (answer === undefined || answer === "silence") continue;
      const given =
        answer === "edit"
          ? { decision: "continue" as const, output: shaped(step, `edited-${step.name}`) }
          : { decision: answer };
      if (await unless(() => door.runs.answerGate(approver, gate.id, given))) answered.set(place, nth + 1);
    }
  };
  const vote = async (runs: readonly Watched[]): Promise<void> => {
    for (const approval of await door.approvals.list(admin, { state: "pending", limit: 100 })) {
      const { runId, step } = approval.subject as { runId: string; step: string }; // as an action of a run has it
      const run = by(runs, runId);
      if (!run) continue;
      const { work } = stepOf(run, step);
      const decision = work.do === "hold" ? work.vote : "approve";
      await unless(() => door.approvals.decide(approver, approval.id, { decision, reason: "a trial" }));
    }
  };
  const settleDoubts = async (runs: readonly Watched[]): Promise<void> => {
    for (const action of await door.actions.list(admin, { state: "in_doubt", limit: 100 })) {
      const run = by(runs, action.runId);
      if (!run || ["completed", "failed", "aborted"].includes(run.status)) continue;
      const again = { outcome: "retry", reason: "it did not arrive" } as const;
      if (!(await unless(() => door.actions.resolve(admin, action.id, again)))) continue;
      const { formatId } = await import("#platform/kernel");
      const place = `${formatId("run", run.id)}/${action.step}`;
      resends.set(place, (resends.get(place) ?? 0) + 1);
    }
  };
  const signal = async (runs: readonly Watched[]): Promise<void> => {
    for (const run of runs) {
      for (const step of task.plans.get(run.flow)?.steps ?? []) {
        if (step.work.do !== "listen") continue;
        const place = `${run.id}/${step.name}`;
        const count = signalled.get(place) ?? 0;
        if (count >= step.work.sent * Math.max(1, step.each?.count ?? 1) || turn % 3 !== count % 3) continue;
        const sent = { name: `s-${step.name}`, payload: `signal-${step.name}` };
        if (await unless(() => door.runs.signal(admin, run.id, sent))) signalled.set(place, count + 1);
      }
    }
  };
  const heal = async (run: Watched): Promise<void> => {
    healed.set(run.id, (healed.get(run.id) ?? 0) + 1);
    const deed = deedsOf(run.id);
    deed.hasFailed = true;
    const failed = await failedStep(world, run);
    if (!failed) return;
    const step = stepOf(run, failed);
    if (step.skippable && !step.gate && turn % 2 === 0) {
      const text = `skipped-${failed}`;
      const skip = { reason: "a trial", step: failed, output: shaped(step, text) };
      if (!(await unless(() => door.runs.skip(admin, run.id, skip)))) return;
      deed.skipped.set(failed, text);
      return note(run.id, "skip");
    }
    const mends = step.work.do === "break";
    if (!mends) world.repair(run.id, failed);
    const edits = mends ? { edits: { text: '"mended"' } } : {};
    const before = deed.mended.has(failed);
    deed[mends ? "mended" : "repaired"].add(failed);
    const retry = { reason: "a trial", step: failed, ...edits };
    const said = await unless(() => door.runs.retry(admin, run.id, retry));
    if (said === undefined) healed.set(run.id, (healed.get(run.id) ?? 1) - 1); // it is looked at once more
    if (said === false && !before) deed.mended.delete(failed);
    if (!said) return;
    signalled.delete(`${run.id}/${failed}`); // it listens once more
    note(run.id, "retry");
  };
  const carryOut = async (order: Order, run: Watched): Promise<boolean> => {
    if (order.what === "edit") return edit(run);
    const work = () =>
      order.what === "abort"
        ? door.runs.abort(admin, run.id, "a trial")
        : door.runs.pause(admin, run.id, "a trial");
    if (await unless(work)) note(run.id, order.what);
    return true;
  };
  const edit = async (run: Watched): Promise<boolean> => {
    if (!run.paused && run.status !== "failed") return false;
    const [name] = await completedSteps(world, run);
    if (name === undefined) return false;
    const output = shaped(stepOf(run, name), `edit-${name}`);
    const change = { reason: "a trial", step: name, output };
    if (!(await unless(() => door.runs.editOutput(admin, run.id, change)))) return false;
    deedsOf(run.id).edited.set(name, `edit-${name}`);
    note(run.id, "edit-output");
    return true;
  };
  const willHeal = (run: Watched): boolean =>
    run.parentId === null && run.status === "failed" && (healed.get(run.id) ?? 0) < task.heal;

  return {
    deeds,
    resends,
    done,
    willHeal,
    attend: async (runs) => {
      turn++;
      const tops = runs.filter((r) => r.parentId === null);
      await signal(runs);
      await answerGates(runs);
      await vote(runs);
      await settleDoubts(runs);
      for (const [n, order] of task.orders.entries()) {
        const run = tops[order.run % Math.max(1, tops.length)];
        if (ordered.has(n) || turn < order.turn || !run) continue;
        if (await carryOut(order, run)) ordered.add(n);
      }
      for (const run of tops) {
        if (willHeal(run)) await heal(run);
        if (!run.paused) continue;
        const since = pausedSince.get(run.id) ?? turn;
        pausedSince.set(run.id, since);
        if (turn < since + 4) continue;
        pausedSince.delete(run.id);
        if (await unless(() => door.runs.resume(admin, run.id, "a trial"))) note(run.id, "resume");
      }
    },
  };
}

const heads = (world: World, run: Watched) =>
  world.db.system.query<{ step: string; event: string; operator: unknown }>(sql`
    select distinct on (step) step, event, operator from journal
    where run_id = ${run.id} and iteration = 0 and step <> '' order by step, seq desc`);

async function failedStep(world: World, run: Watched): Promise<string | undefined> {
  const [error] = await world.db.system.query<{ step: string | null }>(
    sql`select error ->> 'step' as step from run where id = ${run.id}`,
  );
  const failed = (await heads(world, run)).filter((h) => h.event === "failed").map((h) => h.step);
  return failed.find((s) => s === error?.step) ?? failed[0];
}

const completedSteps = async (world: World, run: Watched): Promise<string[]> =>
  (await heads(world, run)).filter((h) => h.event === "completed").map((h) => h.step);
