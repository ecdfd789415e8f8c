/**
 * `npm run bench:engine -- --suite full`: every part in turn, each beside its peers in the same run. A part that
 * fails does not end the others. Ends with 1 when a part did not come to its end or its records do not add up,
 * never for a floor that is missed.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDatabases } from "../databases.ts";
import { caution, machineFacts, print, renderFacts } from "../report.ts";
import { runPart, type SuitePart } from "./bench.ts";
import { coldStartPart } from "./cold-start.ts";
import { floodPart } from "./flood.ts";
import { historyPart } from "./history.ts";
import { idlePart } from "./idle.ts";
import { killedPart } from "./killed.ts";
import { parkedPart } from "./parked.ts";
import { runsParts } from "./runs-parts.ts";
import { readSuiteOptions, type SuiteOptions } from "./suite-options.ts";
import { type PartResult, renderPart, renderSummary } from "./suite-report.ts";
import { webhookPart } from "./webhook.ts";

const parts: readonly SuitePart[] = [
  ...runsParts,
  parkedPart,
  killedPart,
  floodPart,
  historyPart,
  idlePart,
  coldStartPart,
  webhookPart,
];

export async function measureSuite(): Promise<number> {
  const options = readSuiteOptions(parts);
  const started = performance.now();
  const machine = machineFacts();
  const say = (text: string): void => {
    const seconds = Math.round((performance.now() - started) / 1000);
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    process.stderr.write(`[${time}] ${text}\n`);
  };
  oneTemporaryRoot();
  await using databases = await startDatabases({ counts: true });
  const postgres = await databases.facts();
  const results = await runAll(options, { ...options, databases, say });
  const trial = options.trial ? ["A TRIAL: small and short, the figures are worth nothing."] : [];
  await print(
    options.json,
    { bench: "engine-full", machine, postgres, trial: options.trial, parts: results },
    [
      `machine: ${renderFacts(machine)}`,
      `PostgreSQL: ${renderFacts(postgres)}`,
      ...trial,
      caution,
      ...results.map(renderPart),
      renderSummary(results),
    ],
  );
  const broken = results.some((result) => "failed" in result || result.problems.length > 0);
  return broken ? 1 : 0;
}

async function runAll(
  { only }: SuiteOptions,
  bench: Parameters<typeof runPart>[1],
): Promise<readonly PartResult[]> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const chosen = parts.filter(({ id }) => only.length === 0 || only.includes(id));
  const results: PartResult[] = [];
  for (const [index, part] of chosen.entries()) {
    if (stop.signal.aborted) break;
    const { id, title } = part;
    const started = performance.now();
    bench.say(`${id} (${index + 1} of ${chosen.length}): ${title}`);
    const found = await runPart(part, bench).catch((error) => ({
      failed: error instanceof Error ? error.message : String(error),
    }));
    if ("failed" in found) bench.say(`${id} failed: ${found.failed}`);
    results.push({ id, title, seconds: (performance.now() - started) / 1000, ...found });
  }
  return results;
}

/**
 * All that this process and its parts put into temporary directories is under one, which goes when this process
 * ends; also what a part leaves that is killed. Others may pass through it: the database server is another user.
 */
function oneTemporaryRoot(): void {
  const root = mkdtempSync(join(tmpdir(), "oars-bench-"));
  chmodSync(root, 0o711);
  process.env.TMPDIR = root;
  process.once("exit", () => rmSync(root, { recursive: true, force: true }));
}
