import type { Measured } from "./closed-loop.ts";
import { shapes } from "./contenders/runs.ts";
import type { Store } from "./options.ts";
import type { ProfileSummary } from "./profiler.ts";
import { millis, percent, type Row, renderFacts, renderTable, times, whole } from "./report.ts";

/** The medians of one number of concurrent runs. */
export interface Level {
  readonly clients: number;
  readonly dbos: Measured;
  readonly restate: Measured;
  readonly oars: Measured;
  readonly raw: Measured;
  /** All rows of a run in one commit, which five barriers do not allow. */
  readonly rawOnce: Measured;
}

export interface StoreResult {
  readonly store: Store;
  readonly facts: Readonly<Record<string, string>>;
  readonly levels: readonly Level[];
  readonly summaries: readonly ProfileSummary[];
  /** What the databases hold that they should not, or the other way round. */
  readonly problems: readonly string[];
}

export function engineTable({ store, facts, levels, summaries, problems }: StoreResult): string {
  const rows = levels.flatMap((level): Row[] => [
    row(level.clients, "DBOS Transact 5.3 on PostgreSQL", level.dbos, level),
    row(level.clients, "Restate 1.7", level.restate, level),
    row(level.clients, `OARS on ${store}`, level.oars, level),
    row(level.clients, "raw, 5 commits a run", level.raw, level),
    row(level.clients, "raw, 1 commit a run", level.rawOnce, level),
  ]);
  const checked =
    problems.length === 0 ? "Every run and step record is there once." : `PROBLEMS: ${problems.join("; ")}`;
  return [
    `Five barrier steps per run, OARS on ${store} (${renderFacts(facts)})`,
    renderTable(rows),
    checked,
    ...summaries.map((summary, i) => profileText(`${levels[i]?.clients} concurrent runs`, summary)),
  ].join("\n");
}

const row = (clients: number, name: string, measured: Measured, level: Level): Row => ({
  who: name,
  "at once": whole(clients),
  "runs/s": whole(measured.perSecond),
  "step records/s": whole(measured.perSecond * shapes.five),
  "p50 ms": millis(measured.p50),
  "p99 ms": millis(measured.p99),
  "CPU us/run": whole(measured.cpuUs),
  "runs/s to DBOS": times(measured.perSecond / level.dbos.perSecond),
  "runs/s to Restate": times(measured.perSecond / level.restate.perSecond),
  "p50 to DBOS": times(measured.p50 / level.dbos.p50),
  "of raw": percent(measured.perSecond / level.raw.perSecond),
});

export function profileText(what: string, { self, inclusive }: ProfileSummary): string {
  const list = (costs: ProfileSummary["self"]): string =>
    costs.map(({ name, share }) => `  ${percent(share).padStart(7)}  ${name}`).join("\n");
  return `CPU of our server at ${what}: self\n${list(self)}\nwith callees, own code\n${list(inclusive)}`;
}

export const engineJson = (facts: object, results: readonly StoreResult[]): object => ({
  bench: "engine",
  ...facts,
  stores: results.map(({ levels, ...rest }) => ({
    ...rest,
    levels: levels.map((level) => ({
      ...level,
      ratios: {
        runsToRestate: level.oars.perSecond / level.restate.perSecond,
        runsToDbos: level.oars.perSecond / level.dbos.perSecond,
        p50ToDbos: level.oars.p50 / level.dbos.p50,
        runsToRaw: level.oars.perSecond / level.raw.perSecond,
      },
    })),
  })),
});
