/**
 * Makes the archive of a pack: reads the log in order, a bounded number of receipts at a time, and hands on each file as
 * it is ready. Nothing grows with the population but what is drawn from it.
 */
import {
  canonicalJson,
  coverageOf,
  createDraw,
  createTally,
  drawOf,
  formatTlogProof,
  gapsOf,
  manifestFile,
  nameOfControl,
  type PackControl,
  type PackFile,
  type PackLine,
  type PackManifest,
  packFormat,
  rangeNodes,
  signatureFile,
  type TrustDocument,
  tilesOf,
  toBase64,
} from "@oars/receipts";
import { signPack } from "@oars/receipts/node";
import type { Database } from "#platform/db";
import { formatId, sha256 } from "#platform/kernel";
import { type Head, loadTiles, proveConsistency, proveLeaves, readerOf } from "#sign/log";
import type { TenantSigners } from "#sign/receipts";
import type { Pack } from "./domain.ts";
import { bodyOf, findSpan, type Leaf, readChain, readLeaves } from "./log-reader.ts";
import { oscalOf } from "./oscal.ts";
import {
  coverageTable,
  csvOf,
  gapTable,
  readme,
  receiptColumns,
  receiptRow,
  reportPage,
} from "./pack-parts.ts";
import type { Delivered } from "./pack-store.ts";
import type { ZipWriter } from "./zip-writer.ts";

export interface BuildInput {
  readonly pack: Pack;
  readonly head: Head;
  readonly controls: readonly PackControl[];
  /** Controls of the frameworks that no rule looks for. */
  readonly unmapped: PackManifest["gaps"];
  readonly previous: Delivered | undefined;
  readonly signers: TenantSigners;
  readonly trust: TrustDocument;
  readonly trustUrl: string;
  readonly now: Date;
  /** Told how many leaves are in the archive, of how many. */
  readonly onProgress: (done: number, total: number) => void;
}

export interface Built {
  readonly manifest: string;
  readonly done: number;
}

const perPart = 1000;
const perProof = 200;

interface Drawn {
  readonly receiptId: string;
  readonly index: number;
}

type Files = PackFile[];

export async function buildPack(db: Database, zip: ZipWriter, input: BuildInput): Promise<Built> {
  const files: Files = [];
  const add = async (path: string, text: string): Promise<void> => {
    files.push(await zip.add(path, Buffer.from(text)));
  };
  const found = await (input.pack.kind === "incident" ? addChain : addPopulation)(db, add, input);
  await addProofs(db, add, input, found.drawn);
  const told = await describe(db, input, found);
  await add("controls.json", `${JSON.stringify(told.controls, null, 2)}\n`);
  await add("coverage.json", `${JSON.stringify(told.coverage, null, 2)}\n`);
  await add("coverage.csv", csvOf(coverageTable(told.controls, told.coverage)));
  await add("gaps.json", `${JSON.stringify(told.gaps, null, 2)}\n`);
  await add("gaps.csv", csvOf(gapTable(told)));
  await add("report.html", reportPage(told));
  await add("oscal-assessment-results.json", `${JSON.stringify(oscalOf(told), null, 2)}\n`);
  await add("keys.json", `${JSON.stringify(input.trust, null, 2)}\n`);
  await add("checkpoint.txt", input.head.note);
  await add("README.txt", readme(told, input.trustUrl));
  const manifest: PackManifest = { ...told, files: [...files] };
  const { kid, sign } = input.signers.receipt;
  const jws = await signPack(manifest, kid, sign);
  await add(manifestFile, canonicalJson(manifest));
  await add(signatureFile, `${jws}\n`);
  await zip.end();
  return { manifest: jws, done: found.read };
}

interface Found {
  readonly tally: ReturnType<typeof createTally>;
  readonly population: PackManifest["population"];
  readonly samples: readonly Drawn[];
  readonly byControl: ReadonlyMap<PackControl, readonly Drawn[]>;
  /** Everything that needs a proof, in the order of the log. */
  readonly drawn: readonly Drawn[];
  readonly read: number;
}

type AddFile = (path: string, text: string) => Promise<void>;

const nameOfPart = (n: number): string => `receipts/part-${String(n).padStart(5, "0")}`;

/** All leaves of the window, with the receipts or without. */
async function addPopulation(db: Database, add: AddFile, input: BuildInput): Promise<Found> {
  const { pack, head, controls } = input;
  const { tenantId } = pack;
  const { first, end } = await db.read(tenantId, (tx) => findSpan(tx, tenantId, head.size, pack));
  const tally = createTally(controls);
  const overall = createDraw<Drawn>(pack.overall);
  const draws = new Map(controls.map((c) => [c, createDraw<Drawn>(pack.perControl)] as const));
  const counted = { inWindow: 0, retired: 0 };
  const readOne = (leaf: Leaf): { line: PackLine; row: unknown[] | null } => {
    if (leaf.jws === null) {
      counted.retired += 1;
      return { line: { index: leaf.index, leaf: toBase64(leaf.hash) }, row: null };
    }
    const body = bodyOf(leaf.jws);
    const shown = pack.mode === "full" ? { jws: leaf.jws } : { leaf: toBase64(leaf.hash) };
    if (body.ts < pack.from.toISOString() || body.ts >= pack.to.toISOString())
      return { line: { index: leaf.index, ...shown }, row: null };
    counted.inWindow += 1;
    const hits = tally.add(body);
    const rank = drawOf(pack.seed, leaf.index, sha256);
    overall.add(rank, leaf);
    for (const control of hits) draws.get(control)?.add(rank, leaf);
    const names = hits.map(nameOfControl);
    return {
      line: { index: leaf.index, ...shown, controls: names },
      row: receiptRow(leaf.index, body, names),
    };
  };
  for (let from = first, part = 1; from < end; from += perPart, part++) {
    const leaves = await db.read(tenantId, (tx) =>
      readLeaves(tx, tenantId, from, Math.min(end, from + perPart)),
    );
    const read = leaves.map(readOne);
    await add(`${nameOfPart(part)}.jsonl`, read.map(({ line }) => `${JSON.stringify(line)}\n`).join(""));
    const rows = read.flatMap(({ row }) => (row ? [row] : []));
    if (pack.mode === "full") await add(`${nameOfPart(part)}.csv`, csvOf([receiptColumns, ...rows]));
    input.onProgress(Math.min(end, from + perPart) - first, end - first);
  }
  const proof = await proveRange(db, tenantId, { first, end, size: head.size });
  const byControl = new Map([...draws].map(([control, draw]) => [control, draw.items()] as const));
  const samples = overall.items();
  return {
    tally,
    population: { mode: pack.mode, first, end, treeSize: head.size, ...counted, proof },
    samples,
    byControl,
    drawn: inOrder([...samples, ...[...byControl.values()].flat()]),
    read: end - first,
  };
}

const inOrder = (all: readonly Drawn[]): Drawn[] =>
  [...new Map(all.map((d) => [d.index, d])).values()].sort((a, b) => a.index - b.index);

async function proveRange(
  db: Database,
  tenantId: string,
  span: { first: number; end: number; size: number },
): Promise<string[]> {
  const nodes = rangeNodes(span);
  const tiles = await db.read(tenantId, (tx) => loadTiles(tx, tenantId, tilesOf(nodes)));
  return nodes.map(readerOf(tiles)).map(toBase64);
}

/** Everything that belongs to a run or an action, each receipt with a proof of its own. */
async function addChain(db: Database, add: AddFile, input: BuildInput): Promise<Found> {
  const { pack, head, controls } = input;
  const { tenantId } = pack;
  const tally = createTally(controls);
  const drawn: Drawn[] = [];
  const rows: unknown[][] = [];
  const chain: object[] = [];
  for (let after = -1; ; ) {
    const leaves = await db.read(tenantId, (tx) => readChain(tx, tenantId, pack, head.size, after, perPart));
    for (const leaf of leaves) {
      if (leaf.jws === null) continue; // a receipt that was found is there
      const body = bodyOf(leaf.jws);
      const names = tally.add(body).map(nameOfControl);
      drawn.push({ receiptId: leaf.receiptId, index: leaf.index });
      rows.push(receiptRow(leaf.index, body, names));
      const { rid, ts, typ, principal, decision, approval, outcome, operation } = body;
      chain.push({
        index: leaf.index,
        rid,
        ts,
        typ,
        delegation: principal?.chain ?? [],
        decision,
        approval,
        outcome,
        operation,
      });
      after = leaf.index;
    }
    if (leaves.length < perPart) break;
  }
  await add("chain.json", `${JSON.stringify(chain, null, 2)}\n`);
  await add("chain.csv", csvOf([receiptColumns, ...rows]));
  return { tally, population: null, samples: drawn, byControl: new Map(), drawn, read: drawn.length };
}

async function addProofs(
  db: Database,
  add: AddFile,
  { pack: { tenantId }, head }: BuildInput,
  drawn: readonly Drawn[],
): Promise<void> {
  for (let at = 0; at < drawn.length; at += perProof) {
    const batch = drawn.slice(at, at + perProof);
    const { proofs, receipts } = await db.read(tenantId, async (tx) => ({
      proofs: await proveLeaves(
        tx,
        tenantId,
        head.size,
        batch.map((d) => d.index),
      ),
      receipts: await Promise.all(batch.map((d) => readLeaves(tx, tenantId, d.index, d.index + 1))),
    }));
    for (const [i, { index, receiptId }] of batch.entries()) {
      const jws = receipts[i]?.[0]?.jws;
      if (!jws) throw new Error(`receipt ${receiptId} went away while the pack was made`);
      const proof = formatTlogProof({ index, hashes: proofs[i] ?? [], checkpoint: head.note, extra: jws });
      await add(`samples/${formatId("receipt", receiptId)}.tlog-proof`, proof);
    }
  }
}

const ridsOf = (drawn: readonly Drawn[]): string[] => drawn.map((d) => formatId("receipt", d.receiptId));

async function describe(db: Database, input: BuildInput, found: Found): Promise<Omit<PackManifest, "files">> {
  const { pack, head, controls, previous, signers } = input;
  const window = { from: pack.from.toISOString(), to: pack.to.toISOString() };
  const { tally } = found;
  return {
    format: packFormat,
    packId: formatId("evidence", pack.id),
    tenantId: formatId("tenant", pack.tenantId),
    issuer: signers.issuer,
    log: signers.origin,
    kind: pack.kind,
    frameworks: pack.frameworks,
    window,
    subject:
      pack.kind !== "incident"
        ? null
        : {
            ...(pack.runId ? { run: formatId("run", pack.runId) } : {}),
            ...(pack.actionId ? { action: formatId("action", pack.actionId) } : {}),
          },
    generatedAt: input.now.toISOString(),
    requestedBy: pack.requestedBy ? formatId("principal", pack.requestedBy) : "schedule",
    population: found.population,
    sampling: { seed: pack.seed, perControl: pack.perControl, overall: pack.overall },
    samples: ridsOf(found.samples),
    checkpoint: head.note,
    previous: previous
      ? {
          packId: formatId("evidence", previous.id),
          checkpoint: previous.checkpoint,
          consistency: (
            await db.read(pack.tenantId, (tx) =>
              proveConsistency(tx, pack.tenantId, previous.treeSize, head.size),
            )
          ).map(toBase64),
        }
      : null,
    figures: tally.figures(),
    controls,
    coverage: controls.map((c) =>
      coverageOf(c, tally.of(c), window.to, ridsOf(found.byControl.get(c) ?? [])),
    ),
    gaps: [...controls.flatMap((c) => gapsOf(c, tally.of(c), window.to)), ...input.unmapped],
  };
}
