/** B9: what a worker with nothing to do asks of its database. */
import type { ParkedCalls } from "../contenders/parked.ts";
import type { RunsCalls } from "../contenders/runs.ts";
import type { Bench, SuitePart } from "./bench.ts";
import { atMost, type Figure, type Floor, type Outcome } from "./outcome.ts";
import { type StatementCount, statementRates, statementsOf } from "./statement-rate.ts";

const settleSeconds = 5;

export const idlePart: SuitePart = {
  id: "B9",
  title: "an idle worker: statements a second",
  limitSeconds: 180,
  run: measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const counts = new Map<string, StatementCount>();
  for (const store of bench.stores) {
    const name = "b9_oars";
    const url = await bench.place(store, name);
    if (url !== null) await bench.databases.count(name);
    const part = bench.start<ParkedCalls>("oars-parked");
    await part.call("open", url);
    counts.set(
      store === "postgres" ? "OARS on PostgreSQL" : "OARS on PGlite",
      statementsOf(bench.databases, name, () => part.call("statements")),
    );
  }
  for (const [who, module] of [
    ["DBOS Transact 5.3, one queue", "dbos-parked"],
    ["graphile-worker 0.18", "graphile-runs"],
  ] as const) {
    const name = `b9_${module}`;
    const url = await bench.databases.create(name);
    await bench.databases.count(name);
    await bench.start<RunsCalls>(module).call("open", url);
    counts.set(who, () => bench.databases.statements(name));
  }
  const seconds = bench.size(10, 2);
  bench.say(`all of them idle, ${bench.rounds} times ${seconds} s`);
  await new Promise((done) => setTimeout(done, bench.size(settleSeconds, 1) * 1000));
  const before = await callsOf(bench);
  const started = performance.now();
  const rates = await statementRates(counts, bench.rounds, seconds);
  const spent = (performance.now() - started) / 1000;
  const most = [...(await callsOf(bench))]
    .map(([statement, n]) => ({ statement, rate: (n - (before.get(statement) ?? 0)) / spent }))
    .filter(({ rate }) => rate > 0)
    .sort((a, b) => b.rate - a.rate);
  return {
    lines: [...rates].map(([who, rate]) => ({ who, figures: { "statements/s": rate } })),
    floors: [...rates].flatMap(([who, rate]) => floorOf(who, rate)),
    notes: [
      "Transactions' begin and commit are statements too. All of them are idle at the same time.",
      ...most.slice(0, 12).map(({ statement, rate }) => `${rate.toFixed(1)}/s on PostgreSQL: ${statement}`),
    ],
    problems: [],
  };
}

const callsOf = async (bench: Bench): Promise<ReadonlyMap<string, number>> =>
  bench.stores.includes("postgres") ? bench.databases.calls("b9_oars") : new Map();

const floorOf = (who: string, { median }: Figure): Floor[] =>
  who.startsWith("OARS") ? [atMost(`statements of an idle worker, ${who}`, "/s", median, 2)] : [];
