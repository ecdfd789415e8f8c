/** Reads the receipts of a pack as they come, and compares what they come to with what its manifest says. */
import { fromBase64 } from "./bytes.ts";
import { canonicalJson } from "./canonical.ts";
import type { VerifyCrypto } from "./crypto.ts";
import { parseJson } from "./disclosure.ts";
import { FormatError } from "./format-error.ts";
import { type Hash, receiptLeaf } from "./merkle.ts";
import { createDraw, drawOf, type PackControl, type PackLine, type PackManifest } from "./pack.ts";
import { coverageOf, createTally, gapsOf, nameOfControl } from "./pack-tally.ts";
import { absent, type Check, failed, ok, undecidable } from "./report.ts";
import type { Verifier } from "./verify.ts";

export interface Population {
  addLines(text: string): Promise<void>;
  addSample(path: string, text: string): Promise<void>;
  end(): Counted;
}

export interface Counted {
  readonly leaves: readonly Hash[];
  /** What is wrong with the order or number of leaves. */
  readonly order: string | null;
  readonly receipts: Check;
  readonly controls: Check;
  readonly samples: Check;
}

interface Problems {
  readonly all: string[];
  doubt: string | null;
}

const mostTold = 10;

export function createPopulation(
  manifest: PackManifest,
  verifier: Verifier,
  crypto: VerifyCrypto,
): Population {
  const { population, window, sampling } = manifest;
  const tally = createTally(manifest.controls);
  const leaves: Hash[] = [];
  const receipts: Problems = { all: [], doubt: null };
  const samples: Problems = { all: [], doubt: null };
  const wrongTags: string[] = [];
  const sampled = new Set<string>();
  const overall = createDraw<string>(sampling.overall);
  const drawn = new Map(manifest.controls.map((c) => [c, createDraw<string>(sampling.perControl)] as const));
  let next = population?.first ?? 0;
  let inWindow = 0;
  let retired = 0;
  let read = 0;
  let order: string | null = null;

  const draw = (index: number, rid: string, hits: readonly PackControl[]): void => {
    const rank = drawOf(sampling.seed, index, crypto.sha256);
    overall.add(rank, rid);
    for (const control of hits) drawn.get(control)?.add(rank, rid);
  };
  const addReceipt = async (line: PackLine, jws: string): Promise<void> => {
    const report = await verifier.verify(jws, { leafIndex: line.index });
    read += 1;
    if (report.verdict === "tampered")
      return void receipts.all.push(`leaf ${line.index}: ${firstFault(report.checks)}`);
    if (report.verdict === "undecidable") receipts.doubt = `leaf ${line.index}: ${firstFault(report.checks)}`;
    const { body } = report;
    if (!body) return;
    if (body.iss !== manifest.issuer) receipts.all.push(`leaf ${line.index}: it is a receipt of ${body.iss}`);
    const isInside = body.ts >= window.from && body.ts < window.to;
    const hits = isInside ? tally.add(body) : [];
    const tags = isInside ? hits.map(nameOfControl) : undefined;
    if (canonicalJson(tags ?? null) !== canonicalJson(line.controls ?? null))
      wrongTags.push(`leaf ${line.index} is not evidence of what the pack says`);
    if (!isInside) return;
    inWindow += 1;
    draw(line.index, body.rid, hits);
  };

  return {
    addLines: async (text) => {
      for (const one of text.split("\n")) {
        if (one === "") continue;
        const line = parseLine(one);
        if (line.index !== next) order ??= `leaf ${next} is expected, leaf ${line.index} is there`;
        next = line.index + 1;
        leaves.push(
          line.jws === undefined ? fromBase64(line.leaf ?? "") : receiptLeaf(line.jws, crypto.sha256),
        );
        if (line.jws !== undefined) await addReceipt(line, line.jws);
        else retired += 1;
      }
    },
    addSample: async (path, text) => {
      const receiptId = /^samples\/(.+)\.tlog-proof$/.exec(path)?.[1];
      const report = await verifier.verify(text, receiptId === undefined ? {} : { receiptId });
      if (report.verdict === "tampered") samples.all.push(`${path}: ${firstFault(report.checks)}`);
      if (report.verdict === "undecidable") samples.doubt = `${path}: ${firstFault(report.checks)}`;
      if (report.checks.inclusion.status !== "ok") samples.doubt ??= `${path}: it has no proof of inclusion`;
      if (report.receiptId !== undefined) sampled.add(report.receiptId);
      if (!population && report.body) tally.add(report.body);
    },
    end: () => {
      if (population && next !== population.end)
        order ??= `the leaves end at ${next}, not at ${population.end}`;
      const isWhole = population?.mode === "full" || population === null;
      if (population?.mode === "full" && (population.inWindow !== inWindow || population.retired !== retired))
        order ??= `${inWindow} receipts of the window and ${retired} retired ones are there, the manifest says otherwise`;
      if (population?.mode === "full") checkDraw(manifest, overall.items(), drawn, samples.all);
      for (const rid of wantedSamples(manifest))
        if (!sampled.has(rid)) samples.all.push(`the proof of ${rid} is missing`);
      const counts = isWhole ? [...wrongTags, ...compareCounts(manifest, tally)] : [];
      return {
        leaves,
        order,
        receipts: told(receipts, read > 0 ? `${read} receipts are signed and well-formed` : null),
        controls: isWhole
          ? told({ all: counts, doubt: null }, `${manifest.controls.length} controls, recounted`)
          : absent("not every receipt is in the pack, so only the drawn ones can be counted"),
        samples: told(
          samples,
          sampled.size > 0 ? `${sampled.size} receipts with a proof of their own` : null,
        ),
      };
    },
  };
}

function told({ all, doubt }: Problems, good: string | null): Check {
  if (all.length > 0) return failed(all.slice(0, mostTold).join("; "));
  if (doubt !== null) return undecidable(doubt);
  return good === null ? absent("there are none") : ok(good);
}

const firstFault = (checks: Readonly<Record<string, Check>>): string =>
  Object.values(checks).find((c) => c.status === "failed" || c.status === "undecidable")?.detail ??
  "not verified";

function parseLine(text: string): PackLine {
  const value = parseJson(text, "a line of receipts") as Partial<PackLine> | null; // members are checked next
  const { index, jws, leaf, controls } = value ?? {};
  const isLine = Number.isSafeInteger(index) && (typeof jws === "string") !== (typeof leaf === "string");
  if (!isLine || (controls !== undefined && !Array.isArray(controls)))
    throw new FormatError("a line of receipts has not the members that it should have");
  return value as PackLine; // by the checks above
}

const wantedSamples = (manifest: PackManifest): string[] => [
  ...manifest.samples,
  ...manifest.coverage.flatMap((c) => c.samples),
];

const same = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b);

function checkDraw(
  { coverage, controls, samples }: PackManifest,
  overall: readonly string[],
  drawn: ReadonlyMap<PackControl, { items(): string[] }>,
  problems: string[],
): void {
  if (!same(samples, overall)) problems.push("the samples of the population are not those of the seed");
  controls.forEach((control, i) => {
    if (!same(coverage[i]?.samples ?? [], drawn.get(control)?.items() ?? []))
      problems.push(`the samples of ${nameOfControl(control)} are not those of the seed`);
  });
}

/** The parts of the manifest that follow from the receipts, derived anew. */
function compareCounts(manifest: PackManifest, tally: ReturnType<typeof createTally>): string[] {
  const { controls, coverage, gaps, figures, window } = manifest;
  const wrong: string[] = [];
  if (!same(figures, tally.figures())) wrong.push("the figures are not what the receipts come to");
  controls.forEach((control, i) => {
    const due = coverageOf(control, tally.of(control), window.to, coverage[i]?.samples ?? []);
    if (!same(coverage[i] ?? null, due))
      wrong.push(`the coverage of ${nameOfControl(control)} is not what they come to`);
  });
  if (coverage.length !== controls.length) wrong.push("coverage is told of other controls than the pack has");
  const due = controls.flatMap((control) => gapsOf(control, tally.of(control), window.to));
  if (
    !same(
      gaps.filter((g) => g.reason !== "not_mapped"),
      due,
    )
  )
    wrong.push("the gaps are not what they come to");
  return wrong;
}
