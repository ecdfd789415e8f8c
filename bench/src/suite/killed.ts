/** B6: two workers with 500 runs in the middle of their calls, one of them killed: when is everything done, how often. */
import type { EffectReceiver, Received } from "../contenders/effect-receiver.ts";
import { callsPerRun, type KilledCalls, type KilledOptions, type Progress } from "../contenders/killed.ts";
import type { Part } from "../part.ts";
import { temporaryDirectory } from "../temporary.ts";
import type { Bench, SuitePart } from "./bench.ts";
import { atMost, figure, type Line, type Outcome } from "./outcome.ts";

interface Killed {
  /** From the kill to the durable end of the last run. */
  readonly seconds: number;
  /** Runs that the killed worker had begun and not completed. */
  readonly orphans: number;
  readonly progress: Progress;
  readonly received: Received;
}

const runs = 500;
/** In which each call is answered: three of them are the least that a run takes. */
const answerMs = 1_500;
const giveUpSeconds = 120;

interface Contender {
  readonly who: string;
  readonly module: string;
  /** Whoever was killed is started again after so long; others take over when absent. */
  readonly restartMs?: number;
}

const contenders: readonly Contender[] = [
  { who: "OARS on PostgreSQL", module: "oars-killed" },
  {
    who: "DBOS Transact 5.3, the same executor started again after 1 s",
    module: "dbos-killed",
    restartMs: 1_000,
  },
];

export const killedPart: SuitePart = {
  id: "B6",
  title: "one of two workers killed with 500 runs in flight",
  limitSeconds: 400,
  run: measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const found: { contender: Contender; rounds: Killed[] }[] = [];
  for (const contender of contenders) {
    if (contender.module === "oars-killed" && !bench.stores.includes("postgres")) continue;
    const rounds: Killed[] = [];
    for (let round = 1; round <= Math.min(2, bench.rounds); round++) {
      bench.say(`${contender.who}, round ${round}`);
      rounds.push(await kill(bench, contender, round));
    }
    found.push({ contender, rounds });
  }
  const all = found.flatMap(({ contender, rounds }) => rounds.map((round) => ({ ...round, ...contender })));
  const ours = found.find(({ contender }) => contender.restartMs === undefined)?.rounds ?? [];
  return {
    lines: found.map(({ contender, rounds }) => lineOf(contender, rounds)),
    floors:
      ours.length === 0
        ? []
        : [
            atMost(
              "from the kill to the end of the last run, OARS",
              "s",
              Math.max(...ours.map((o) => o.seconds)),
              45,
            ),
          ],
    notes: [
      "Ours are taken over by the other worker, which waits 30 s for a silent one. DBOS executors do not take over from each other without its Conductor.",
      "A repeated call carries the key of the first one; a doubled one another key.",
    ],
    problems: all.flatMap(({ who, progress, received }) => problemsOf(who, progress, received)),
  };
}

async function kill(bench: Bench, { module, restartMs }: Contender, round: number): Promise<Killed> {
  const name = `b6_${module}_${round}`;
  const url = await bench.databases.create(name);
  const receiver = bench.start<EffectReceiver>("effect-receiver");
  const receiverUrl = await receiver.call("open", answerMs);
  const dir = await temporaryDirectory("killed");
  const deadAfterMs = bench.size(30_000, 3_000);
  const open = async (worker: string, first: boolean): Promise<Part<KilledCalls>> => {
    const part = bench.start<KilledCalls>(module);
    const options: KilledOptions = { url, dir, name: worker, first, receiverUrl, deadAfterMs };
    await part.call("open", options);
    return part;
  };
  const survivor = await open("one", true);
  let victim = await open("two", false);
  await Promise.all([survivor.call("start", runs / 2), victim.call("start", runs / 2)]);
  await new Promise((done) => setTimeout(done, answerMs));
  const before = await survivor.call("progress");
  victim.kill();
  const killed = performance.now();
  if (restartMs !== undefined) {
    await new Promise((done) => setTimeout(done, restartMs));
    victim = await open("two", false);
  }
  const progress = await untilDone(survivor, killed);
  const seconds = (performance.now() - killed) / 1000;
  const received = await receiver.call("received");
  for (const part of [survivor, victim, receiver]) await part[Symbol.asyncDispose]();
  return { seconds, orphans: runs - before.completed, progress, received };
}

async function untilDone(survivor: Part<KilledCalls>, since: number): Promise<Progress> {
  for (;;) {
    const progress = await survivor.call("progress");
    if (progress.completed === runs || performance.now() - since > giveUpSeconds * 1000) return progress;
    await new Promise((done) => setTimeout(done, 100));
  }
}

function problemsOf(who: string, progress: Progress, received: Received): string[] {
  const problems: string[] = [];
  const lost = runs - progress.completed;
  if (progress.runs !== runs || lost > 0) problems.push(`${who}: ${lost} of ${runs} runs lost`);
  if (progress.doubleRecords > 0) problems.push(`${who}: ${progress.doubleRecords} double records`);
  if (received.doubled > 0) problems.push(`${who}: ${received.doubled} effects under two keys`);
  if (received.steps !== runs * callsPerRun) problems.push(`${who}: ${received.steps} steps have called`);
  return problems;
}

const lineOf = ({ who }: Contender, rounds: readonly Killed[]): Line => ({
  who,
  figures: {
    "in flight": figure(
      "count",
      rounds.map(({ orphans }) => orphans),
    ),
    "all done after s": figure(
      "s",
      rounds.map(({ seconds }) => seconds),
    ),
    lost: figure(
      "count",
      rounds.map(({ progress }) => runs - progress.completed),
    ),
    "double records": figure(
      "count",
      rounds.map(({ progress }) => progress.doubleRecords),
    ),
    "doubled effects": figure(
      "count",
      rounds.map(({ received }) => received.doubled),
    ),
    "repeated calls": figure(
      "count",
      rounds.map(({ received }) => received.repeated),
    ),
  },
});
