/** One trial: flows and runs of random plans, random misfortunes, and at the end everything against the oracle. */
import { inspect } from "node:util";
import { sql } from "#platform/db";
import { workerLock } from "#platform/jobs";
import type { FaultPoint } from "#platform/kernel";
import { auditRun, auditSent } from "./trial-audit.ts";
import { type Entry, factsOf, noDeeds, type Records, type RunRecord, readRecords } from "./trial-facts.ts";
import { foretell, textOf } from "./trial-oracle.ts";
import { createPeople, type Order, type People, type Watched } from "./trial-people.ts";
import { defineFlows, type Plan } from "./trial-plan.ts";
import type { Fate } from "./trial-worker.ts";
import { type Chance, findLost, hurry, type World } from "./trial-world.ts";
import { until } from "./until.ts";

/**
 * At the `at`-th write of the workers: the worker dies before or after it, the write fails or its answer is lost,
 * another one takes the worker's runs, all timers are due, events are told twice, a run's time is up.
 */
export interface Misfortune {
  readonly at: number;
  readonly what: Exclude<Fate, "done"> | "rob" | "jump" | "tell-twice" | "late";
}

export interface Scenario {
  readonly plans: readonly Plan[];
  /** Which plan each run is of, and whether it is started twice at once. */
  readonly runs: readonly { readonly plan: number; readonly twice: boolean }[];
  readonly misfortunes: readonly Misfortune[];
  /** Points at which a worker, or whoever serves people, dies: one after the other. */
  readonly kills: readonly { readonly point: FaultPoint; readonly hit: number }[];
  /** It is wrong when one of those points is not reached. */
  readonly mustDie?: true;
  readonly orders: readonly Order[];
  readonly heal: number;
}

let trials = 0;

/** Answers what is wrong, empty when nothing is. */
export async function tryOut(world: World, scenario: Scenario): Promise<string[]> {
  const prefix = `t${++trials}`;
  const plans = new Map<string, Plan>();
  await world.staff();
  for (const [n, plan] of scenario.plans.entries()) await publish(world, `${prefix}-p${n}`, plan, plans);
  const people = createPeople(world, { plans, orders: scenario.orders, heal: scenario.heal });
  const sentBefore = world.sent.length;
  const chance = misfortunes(world, prefix, scenario);
  world.mislead(chance);
  try {
    await startAll(world, prefix, scenario);
    await settle(world, prefix, people);
  } finally {
    world.mislead(undefined);
    await Promise.all(chance.underWay);
  }
  const records = await readRecords(world.db, `${prefix}-`);
  const wrong = records.runs.flatMap((run) => examine(records, run, plans, people, chance.late));
  wrong.push(...auditStarts(records, scenario), ...auditOrders(records, people));
  if (scenario.mustDie) wrong.push(...chance.missed().map((point) => `${point} was not reached`));
  return [...wrong, ...auditSent(records, world.sent.slice(sentBefore), people.resends)];
}

async function publish(world: World, name: string, plan: Plan, plans: Map<string, Plan>): Promise<void> {
  for (const { flow, source } of defineFlows(name, plan)) {
    plans.set(
      flow,
      planOf(
        plan,
        flow
          .slice(name.length + 1)
          .split("-")
          .filter(Boolean),
      ),
    );
    await world.door.flows.publish(world.admin, JSON.stringify(source)).catch((error) => {
      throw new Error(`${JSON.stringify(source)}: ${JSON.stringify(error.errors)}`);
    });
  }
}

/** The plan of a flow inside of another one, by the names of the steps that lead to it. */
function planOf(plan: Plan, [step, ...rest]: readonly string[]): Plan {
  if (step === undefined) return plan;
  const work = plan.steps.find((s) => s.name === step)?.work;
  if (work?.do !== "child") throw new Error(`${step} runs no flow`);
  return planOf(work.plan, rest);
}

interface Misleading extends Chance {
  readonly underWay: Promise<unknown>[];
  readonly late: Set<string>;
  /** Points that were not reached. */
  readonly missed: () => FaultPoint[];
}

function misfortunes(world: World, prefix: string, { misfortunes: all, kills }: Scenario): Misleading {
  const left = [...all].sort((a, b) => a.at - b.at);
  const underWay: Promise<unknown>[] = [];
  const late = new Set<string>();
  let writes = 0;
  const fate = (worker: string, statement: string): Fate => {
    writes++;
    if (left[0] === undefined || writes < left[0].at) return "done";
    const { what } = left[0];
    if (what !== "rob" && what !== "jump" && what !== "tell-twice" && what !== "late") {
      if (spared.test(statement)) return "done"; // the next one will do
      left.shift();
      return what;
    }
    left.shift();
    underWay.push(befall(world, prefix, what, worker, late));
    return "done";
  };
  const points = kills.map((k) => ({ ...k }));
  const dies = (point: FaultPoint): boolean => {
    const [next] = points;
    if (next?.point !== point || --next.hit > 0) return false;
    points.shift();
    return true;
  };
  return { fate, kills: dies, underWay, late, missed: () => points.map((p) => p.point) };
}

/** Work besides runs, whose misfortunes other tests look at. */
const spared = /^(?:jobs\.(?:beat|register|claimTurn|leave)|log\.|receipts\.|scheduler\.)/;

async function befall(
  world: World,
  prefix: string,
  what: "rob" | "jump" | "tell-twice" | "late",
  worker: string,
  late: Set<string>,
): Promise<void> {
  const { db } = world;
  switch (what) {
    case "rob":
      await db.system.tx(async (tx) => {
        await tx.query(sql`select pg_advisory_xact_lock(${workerLock(worker)}::bigint)`);
        await tx.query(sql`update run set status = 'queued', lease_worker = null, lease_epoch = lease_epoch + 1
          where lease_worker = ${worker}`);
      });
      return;
    case "jump":
      await db.system.query(
        sql`update wait set due_at = now() where status = 'open' and kind in ('timer', 'retry')`,
      );
      return;
    case "tell-twice":
      await db.system.query(sql`update outbox set available_at = now()`);
      return;
    case "late": {
      const like = `${prefix}-%`;
      const rows = await db.system.query<{ id: string }>(sql`update run set deadline_at = now() where id =
        (select id from run where flow_name like ${like} and status in ('queued', 'running', 'waiting') and parent_run_id is null
          order by id limit 1) returning id`);
      for (const { id } of rows) late.add(id);
    }
  }
}

/** Each run is started until somebody says that it is. */
async function startAll(world: World, prefix: string, { runs, plans }: Scenario): Promise<void> {
  const start = (n: number, flow: string, turn: number): Promise<unknown> =>
    until(`the start of run ${n}`, async () => {
      await world.staff();
      const app =
        [...world.workers.map((w) => w.app), world.door][(n + turn) % (world.workers.length + 1)] ??
        world.door;
      const given = { flow, params: { v: `run${n}` }, idempotencyKey: `${prefix}-${n}` };
      return app.runs.start(world.admin, given).then(
        () => true,
        () => {
          turn++;
          return false;
        },
      );
    });
  await Promise.all(
    runs.map(({ plan, twice }, n) => {
      const flow = `${prefix}-p${plan % plans.length}`;
      return Promise.all([start(n, flow, 0), ...(twice ? [start(n, flow, 1)] : [])]);
    }),
  );
}

const watch = (world: World, prefix: string): Promise<Watched[]> =>
  world.db.system.query<Watched>(sql`select id, flow_name as flow, status, paused_at is not null as paused,
    parent_run_id as "parentId" from run where flow_name like ${`${prefix}-%`} order by id`);

/** Until nothing is left to happen. */
async function settle(world: World, prefix: string, people: People): Promise<void> {
  const isOver = (r: Watched): boolean =>
    ["completed", "failed", "aborted"].includes(r.status) && !people.willHeal(r);
  let looks = 0;
  const atRest = async (): Promise<boolean> => {
    await world.staff();
    const runs = await watch(world, prefix);
    await people.attend(runs);
    if (++looks % 20 === 0) {
      await hurry(world.db);
      for (const { app } of world.workers) await app.engine.sweep().catch(() => 0);
    }
    if (looks % 100 === 0) await findLost(world);
    world.rouse();
    if (!runs.every(isOver)) return false;
    const [busy] = await world.db.system.query<{ n: number }>(sql`select (select count(*) from outbox)::int4
      + (select count(*) from action where state = 'executing')::int4 as n`);
    if (busy?.n !== 0) return false;
    return (await watch(world, prefix)).every(isOver);
  };
  await until("the end of all runs", atRest, 20_000, 4).catch(async (error: Error) => {
    throw new Error(
      `${error.message}\n${inspect(await stuck(world, prefix), { depth: 5, breakLength: 200, maxArrayLength: 200 })}`,
    );
  });
}

const stuck = async (world: World, prefix: string): Promise<unknown> => {
  const like = `${prefix}-%`;
  const open = sql`(select id from run where flow_name like ${like} and status in ('queued', 'running', 'waiting'))`;
  return {
    runs: await world.db.system.query(sql`select id, flow_name, status, lease_worker, lease_epoch, wake_seq, last_seq,
      paused_at, blocked, error from run where id in ${open}`),
    waits:
      await world.db.system.query(sql`select run_id, step, iteration, attempt, kind, key, status, due_at from wait
      where run_id in ${open} order by created_at, id`),
    journal:
      await world.db.system.query(sql`select run_id, seq, step, iteration, attempt, event, operator from journal
      where run_id in ${open} order by run_id, seq`),
    actions: await world.db.system.query(
      sql`select id, run_id, step, state, executor, error from action where run_id in ${open}`,
    ),
    outbox: await world.db.system.query(
      sql`select topic, payload, attempts, claimed_by, last_error from outbox`,
    ),
    gates: await world.db.system.query(
      sql`select run_id, step, attempt, status, decision from gate where run_id in ${open}`,
    ),
    signals: await world.db.system.query(
      sql`select run_id, name, step, delivered_at from signal where run_id in ${open}`,
    ),
    workers: world.workers.map((w) => ({ id: w.id, inHand: w.app.engine.inHand() })),
  };
};

function examine(
  records: Records,
  run: RunRecord,
  plans: ReadonlyMap<string, Plan>,
  people: People,
  late: ReadonlySet<string>,
): string[] {
  const plan = plans.get(run.flow);
  if (!plan) return [`run ${run.id} is of no plan`];
  const entries = records.entries.filter((e) => e.runId === run.id);
  const deeds = people.deeds.get(run.id) ?? noDeeds();
  const facts = factsOf(records, run, plan, deeds);
  const told = foretell(plan, facts);
  const wrong = auditRun(run, plan, entries);
  const say = (what: string): void => void wrong.push(`${run.flow} ${run.id} (${run.status}): ${what}`);
  const parent = records.runs.find((r) => r.id === run.parentId);
  const abandoned =
    parent !== undefined &&
    (parent.status !== "completed" || people.deeds.get(parent.id)?.hasFailed === true);
  const mayAbort = told.aborted || abandoned || people.done.get(run.id)?.includes("abort") === true;
  const mayFail = told.fatal.length > 0 || late.has(run.id);
  if (run.status === "failed" && !mayFail) say(`should not have failed: ${JSON.stringify(run.error)}`);
  if (run.status === "aborted" && !mayAbort)
    say(`should not have been aborted: ${JSON.stringify(run.error)}`);
  if (run.status === "completed" && (told.fatal.length > 0 || told.aborted))
    say(`should not have completed: ${[...told.fatal, told.aborted]}`);
  for (const step of plan.steps) {
    const actual = facts.actual(step.name);
    const due = told.steps.get(step.name);
    if (actual.status === "unreached" && run.status !== "completed") continue;
    const [is, should] = [textOf(step, actual), textOf(step, due)];
    const brokenOff =
      run.status !== "completed" &&
      actual.status === "failed" &&
      (late.has(run.id) || run.status === "aborted");
    if (is !== should && !brokenOff) say(`${step.name} is ${is}, should be ${should}`);
  }
  if (run.status === "completed" && run.output !== told.output)
    say(`gave ${run.output}, should give ${told.output}`);
  if (wrong.length > 0) say(entries.map(inFull).join(" "));
  return wrong;
}

const inFull = (e: Entry): string =>
  `${e.seq}:${e.step}${e.iteration > 0 ? `#${e.iteration}` : ""}/${e.attempt}=${e.event}${e.operator ? `(${e.operator.command})` : ""}${e.error ? `:${e.error.code}` : ""}`;

/** A start key is one run, and no run is lost. */
function auditStarts(records: Records, { runs }: Scenario): string[] {
  const tops = records.runs.filter((r) => r.parentId === null);
  return tops.length === runs.length ? [] : [`${runs.length} runs were started, ${tops.length} are there`];
}

/** What was ordered and acknowledged is in the journal once. */
function auditOrders(records: Records, people: People): string[] {
  const wrong: string[] = [];
  for (const [runId, done] of people.done) {
    for (const what of new Set(done)) {
      const command = what;
      const times = done.filter((d) => d === what).length;
      const own = records.entries.filter((e) => e.runId === runId && e.operator?.command === command);
      const event = {
        retry: "retrying",
        skip: "skipped",
        "edit-output": "completed",
        pause: "paused",
        resume: "resumed",
        abort: "aborted",
      }[what];
      const found = new Set(
        own.filter((e) => e.event === event && (what !== "retry" || e.iteration === 0)).map((e) => e.seq),
      ).size;
      if (found < times)
        wrong.push(`${runId}: ${what} was ordered ${times} times and is recorded ${found} times`);
    }
  }
  return wrong;
}
