import type { ActionCounts } from "./action-server.ts";
import type { Measured } from "./closed-loop.ts";
import { profileText } from "./five-steps-report.ts";
import type { Store } from "./options.ts";
import type { ProfileSummary } from "./profiler.ts";
import { millis, type Row, renderFacts, renderTable, whole } from "./report.ts";

/** The medians of one number of clients. */
export interface ActionLevel {
  readonly clients: number;
  /** As many calls as are answered. */
  readonly plain: Measured;
  readonly governed: Measured;
  /** `rate` calls offered each second. */
  readonly rate: number;
  readonly pacedPlain: Measured;
  readonly pacedGoverned: Measured;
}

export interface ActionResult {
  readonly store: Store;
  /** Servers that shared the callers. */
  readonly processes: number;
  readonly facts: Readonly<Record<string, string>>;
  readonly levels: readonly ActionLevel[];
  readonly summaries: readonly ProfileSummary[];
  readonly counts: ActionCounts;
  readonly problems: readonly string[];
}

/** Each answered action is recorded once, has two receipts in the log, and reached the other side once. */
export function problemsOf(
  sent: { readonly plain: number; readonly governed: number },
  counts: ActionCounts,
  received: number,
): string[] {
  const { governed, plain } = sent;
  const expected: [what: string, is: number, should: number][] = [
    ["actions", counts.actions, governed],
    ["completed actions", counts.completed, governed],
    ["receipts of actions", counts.receipts, governed * 2],
    ["receipts of actions in the log", counts.logged, governed * 2],
    ["calls that reached the receiver", received, governed + plain],
  ];
  const wrong = expected.filter(([, is, should]) => is !== should);
  return wrong.map(([what, is, should]) => `${what}: ${is} in place of ${should}`);
}

export function actionTable(result: ActionResult): string {
  const { store, processes, facts, levels, summaries, counts, problems } = result;
  const servers = processes > 1 ? `${processes} servers, ` : "";
  const rows = levels.flatMap((level): Row[] => [
    row(level, `${level.rate}/s`, "ungoverned", level.pacedPlain, undefined),
    row(level, `${level.rate}/s`, `governed on ${store}`, level.pacedGoverned, level.pacedPlain),
    row(level, "all it takes", "ungoverned", level.plain, undefined),
    row(level, "all it takes", `governed on ${store}`, level.governed, level.plain),
  ]);
  const checked =
    problems.length === 0
      ? `Checked: ${whole(counts.completed)} actions, each with two receipts in the log and one call outside.`
      : `PROBLEMS: ${problems.join("; ")}`;
  return [
    `One HTTP action, 100 Cedar policies, two durable receipts, OARS on ${store} (${servers}${renderFacts(facts)})`,
    renderTable(rows),
    checked,
    `When the load ended ${whole(counts.behind)} receipts waited for the log, which took ${millis(counts.drainMs)} ms for them.`,
    ...summaries.map((summary, i) => profileText(`${levels[i]?.clients} clients`, summary)),
  ].join("\n");
}

const row = (
  { clients }: ActionLevel,
  offered: string,
  who: string,
  measured: Measured,
  plain: Measured | undefined,
): Row => ({
  who,
  clients: whole(clients),
  offered,
  "calls/s": whole(measured.perSecond),
  "p50 ms": millis(measured.p50),
  "p99 ms": millis(measured.p99),
  "added p50 ms": plain ? millis(measured.p50 - plain.p50) : "",
  "added p99 ms": plain ? millis(measured.p99 - plain.p99) : "",
  "server CPU us": whole(measured.cpuUs),
});

export const actionJson = (facts: object, results: readonly ActionResult[]): object => ({
  bench: "action",
  ...facts,
  stores: results.map(({ levels, ...rest }) => ({
    ...rest,
    levels: levels.map((level) => ({
      ...level,
      addedP50: level.pacedGoverned.p50 - level.pacedPlain.p50,
      addedP99: level.pacedGoverned.p99 - level.pacedPlain.p99,
    })),
  })),
});
