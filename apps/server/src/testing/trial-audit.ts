/** Rules of every run's rows and of everything that was sent, whatever died on the way. Answers what breaks one. */
import { formatId } from "#platform/kernel";
import type { Received } from "./receiver.ts";
import type { Entry, Records, RunRecord } from "./trial-facts.ts";
import type { Plan, StepPlan } from "./trial-plan.ts";

/** A request that the receiver had, and whether it took it. */
export interface Sent {
  readonly request: Received;
  readonly taken: boolean;
}

export function auditRun(run: RunRecord, plan: Plan, entries: readonly Entry[]): string[] {
  const broken: string[] = [];
  const say = (what: string): void => void broken.push(`${run.flow} ${run.id}: ${what}`);
  const seqs = entries.map((e) => e.seq);
  if (new Set(seqs).size !== seqs.length) say("two entries have one number");
  const units = Map.groupBy(
    entries.filter((e) => e.step !== ""),
    (e) => `${e.step}#${e.iteration}`,
  );
  for (const [unit, own] of units) {
    const step = plan.steps.find((s) => s.name === own[0]?.step);
    if (!step) say(`${unit} is no step of the flow`);
    else
      for (const what of auditUnit(step, own, ordersIn(entries, step)))
        say(`${unit} ${what}: ${own.map(shortly).join(" ")}`);
  }
  for (const step of plan.steps) for (const what of auditOrder(step, entries)) say(what);
  return broken;
}

const shortly = (e: Entry): string =>
  `${e.seq}:${e.event}/${e.attempt}${e.operator ? `(${e.operator.command})` : ""}`;
const isEnd = (e: Entry): boolean => ["completed", "failed", "skipped"].includes(e.event);

/** Numbers of the entries by which people had the whole step run again. */
const ordersIn = (entries: readonly Entry[], step: StepPlan): number[] =>
  entries
    .filter((e) => e.step === step.name && e.iteration === 0 && e.event === "retrying" && e.operator !== null)
    .map((e) => e.seq);

/** An attempt waits, is gated and ends or is tried again, each once; after the end only a person writes. */
function* auditUnit(step: StepPlan, own: readonly Entry[], orders: readonly number[]): Generator<string> {
  const rank: Record<string, number> = {
    waiting: 0,
    gated: 1,
    retrying: 2,
    completed: 2,
    failed: 2,
    skipped: 2,
  };
  for (const [n, entry] of own.entries()) {
    const last = own[n - 1];
    if (!last) {
      if (entry.attempt !== 1) yield "does not begin with its first attempt";
      continue;
    }
    const byPerson =
      entry.operator !== null && !["gate", "cache", "fallback"].includes(entry.operator.command);
    const again = entry.iteration > 0 && orders.some((seq) => last.seq < seq && seq < entry.seq);
    const ordered = byPerson || again;
    if (entry.attempt < last.attempt) yield "goes back to an earlier attempt";
    if (entry.attempt > last.attempt + 1) yield "leaves an attempt out";
    if (isEnd(last) && !ordered && last.event !== "failed") yield "goes on after its end";
    if (isEnd(last) && !ordered && last.event === "failed")
      yield "goes on after its failure without an order";
    if (entry.attempt === last.attempt) {
      if ((rank[entry.event] ?? 9) <= (rank[last.event] ?? 9) && !ordered) yield "says something twice";
    } else if (last.event !== "retrying" && !ordered) yield "begins another attempt without a reason";
  }
  const first = own[0];
  if (first && first.iteration > (step.each?.count ?? 0)) yield "is no item of the step";
}

/** Nothing of a step is written before all that it needs has ended; its own end comes after those of its items. */
function* auditOrder(step: StepPlan, entries: readonly Entry[]): Generator<string> {
  const first = entries.find((e) => e.step === step.name && e.operator?.command !== "skip");
  if (!first) return;
  for (const need of step.handles ? [] : step.needs) {
    const ended = entries.some((e) => e.step === need && e.iteration === 0 && isEnd(e) && e.seq < first.seq);
    if (!ended) yield `${step.name} has an entry (${shortly(first)}) before ${need} has ended`;
  }
  if (!step.each) return;
  const end = entries.find((e) => e.step === step.name && e.iteration === 0 && e.event === "completed");
  if (!end || end.operator !== null) return;
  for (let item = 1; item <= step.each.count; item++) {
    const ended = entries.some(
      (e) => e.step === step.name && e.iteration === item && isEnd(e) && e.seq < end.seq,
    );
    if (!ended) yield `${step.name} completed before its item ${item}`;
  }
}

/** `resends` are the actions in doubt that a person had sent once more, by run and step. */
export function auditSent(
  records: Records,
  sent: readonly Sent[],
  resends: ReadonlyMap<string, number>,
): string[] {
  const broken: string[] = [];
  const actions = Map.groupBy(records.actions, (a) => a.effectKey);
  for (const [key, same] of Map.groupBy(
    sent.filter((s) => s.request.key !== ""),
    (s) => s.request.key,
  )) {
    const bodies = new Set(same.map((s) => JSON.stringify(s.request.body)));
    if (bodies.size > 1) broken.push(`one key with several bodies: ${[...bodies].join(" ")}`);
    if (actions.get(key)?.length !== 1)
      broken.push(`a key of ${actions.get(key)?.length ?? 0} actions: ${[...bodies]}`);
  }
  const mails = sent.filter((s) => s.taken && s.request.path.startsWith("/mail/"));
  for (const [k, taken] of Map.groupBy(mails, (s) => String((s.request.body as { k: string }).k))) {
    const [, step = "", item] = k.split("/");
    const runId = k.split("/")[0] ?? "";
    const own = records.actions.filter((a) => typed(a.runId) === runId && a.step === step);
    // actions of a step over items do not say which item they are of: each has as many as the step had orders
    const orders = item === undefined ? own.length : 1 + ordersOf(records, runId, step);
    const allowed = orders + (resends.get(`${runId}/${step}`) ?? 0);
    if (taken.length > allowed)
      broken.push(`${k} was taken ${taken.length} times, ${allowed} at most were due`);
  }
  for (const a of records.actions)
    if (a.state === "executing") broken.push(`action ${a.id} is still being sent`);
  return broken;
}

const ordersOf = (records: Records, runId: string, step: string): number =>
  records.entries.filter(
    (e) =>
      typed(e.runId) === runId &&
      e.step === step &&
      e.iteration === 0 &&
      e.event === "retrying" &&
      e.operator,
  ).length;

const typed = (id: string): string => formatId("run", id);
