/** Everything that the database says of the runs of a trial, and of one run what its oracle asks. */
import { type Database, sql } from "#platform/db";
import type { Facts, StepEnd } from "./trial-oracle.ts";
import type { Plan } from "./trial-plan.ts";

export interface RunRecord {
  readonly id: string;
  readonly flow: string;
  readonly status: string;
  readonly params: { readonly v: string };
  readonly output: unknown;
  readonly error: { readonly code: string; readonly step?: string } | null;
  readonly parentId: string | null;
  readonly parentStep: string | null;
  readonly parentIteration: number | null;
  readonly startKey: string | null;
}

export interface Entry {
  readonly runId: string;
  readonly step: string;
  readonly iteration: number;
  readonly attempt: number;
  readonly event: string;
  readonly seq: number;
  readonly output: unknown;
  readonly error: { readonly code: string } | null;
  readonly operator: { readonly command: string } | null;
}

export interface ActionRecord {
  readonly id: string;
  readonly runId: string;
  readonly step: string;
  readonly connection: string;
  readonly state: string;
  readonly effectKey: string;
}

export interface Records {
  readonly runs: readonly RunRecord[];
  readonly entries: readonly Entry[];
  readonly actions: readonly ActionRecord[];
  readonly signals: readonly {
    readonly runId: string;
    readonly step: string | null;
    readonly iteration: number | null;
  }[];
}

/** The runs of flows of this name, and of those that they run. */
export async function readRecords(db: Database, flows: string): Promise<Records> {
  const like = `${flows}%`;
  const of = sql`(select r.id from run r where r.flow_name like ${like})`;
  const [runs, entries, actions, signals] = await Promise.all([
    db.system.query<RunRecord>(sql`select id, flow_name as flow, status, params, output, error, parent_run_id as "parentId",
      parent_step as "parentStep", parent_iteration as "parentIteration", encode(start_key, 'hex') as "startKey"
      from run where flow_name like ${like} order by id`),
    db.system.query<Entry>(sql`select run_id as "runId", step, iteration, attempt, event, seq, output, error, operator
      from journal where run_id in ${of} order by run_id, seq`),
    db.system.query<ActionRecord>(sql`select id, run_id as "runId", step, connection, state, effect_key as "effectKey"
      from action where run_id in ${of} order by id`),
    db.system.query<Records["signals"][number]>(sql`select run_id as "runId", step, iteration from signal
      where run_id in ${of} and delivered_at is not null`),
  ]);
  return { runs, entries, actions, signals };
}

/** What people did to a run, as the trial knows it. */
export interface Deeds {
  readonly repaired: Set<string>;
  readonly mended: Set<string>;
  readonly skipped: Map<string, string>;
  readonly edited: Map<string, string>;
  hasFailed: boolean;
}

export const noDeeds = (): Deeds => ({
  repaired: new Set(),
  mended: new Set(),
  skipped: new Map(),
  edited: new Map(),
  hasFailed: false,
});

export function factsOf(records: Records, run: RunRecord, plan: Plan, deeds: Deeds): Facts {
  const own = records.entries.filter((e) => e.runId === run.id);
  return {
    ...deeds,
    v: run.params.v,
    hasFailed:
      deeds.hasFailed || run.status === "failed" || own.some((e) => e.step === "" && e.event === "failed"),
    actual: (step) => endIn(own, plan, step),
    heard: (step) => records.signals.some((s) => s.runId === run.id && s.step === step),
    child: (step, iteration) => {
      const child = records.runs.findLast(
        (r) => r.parentId === run.id && r.parentStep === step && r.parentIteration === iteration,
      );
      return child && { output: child.status === "completed" ? String(child.output) : null };
    },
  };
}

/** What the entries say that the step came to. */
export function endIn(entries: readonly Entry[], plan: Plan, name: string): StepEnd {
  const last = entries.findLast((e) => e.step === name && e.iteration === 0);
  const { event, error } = last ?? {};
  if (error?.code === "GATE_ABORTED") return { status: "unreached", output: null }; // the run ended, not the step
  if (last === undefined || (event !== "completed" && event !== "failed" && event !== "skipped"))
    return { status: "unreached", output: null };
  const each = plan.steps.find((s) => s.name === name)?.each;
  if (!each || event !== "completed" || last.output !== null || last.operator !== null)
    return { status: event, output: last.output };
  const outputs = Array.from({ length: each.count }, (_, n) => {
    const item = entries.findLast((e) => e.step === name && e.iteration === n + 1);
    return item?.event === "completed" ? item.output : null;
  });
  return { status: "completed", output: outputs };
}
