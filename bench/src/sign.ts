/**
 * What receipts and their log cost: signed and durable each second, how far the signed head is behind, proofs and
 * appends on logs up to millions of leaves, verification, and an export.
 *
 *   node bench/run.mjs sign [--quick] [--only postgres|pglite] [--seconds N] [--leaves N] [--export N] [--json FILE]
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { createVerifier } from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import { sql } from "../../apps/server/src/platform/db/index.ts";
import { newId } from "../../apps/server/src/platform/kernel/index.ts";
import { type Store, stores } from "./options.ts";
import { machineFacts, millis, type Row, renderFacts, renderTable, whole } from "./report.ts";
import { type House, openHouse } from "./sign-house.ts";
import { idOf, plantTree } from "./sign-tree.ts";

interface Figures {
  readonly rate: number;
  readonly behind: number;
  readonly proof: number;
  readonly verify: number;
  readonly memory: number;
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    seconds: { type: "string" },
    leaves: { type: "string" },
    export: { type: "string" },
    json: { type: "string" },
  },
});
const { quick } = values;
const seconds = Number(values.seconds ?? (quick ? 3 : 20));
const leaves = Number(values.leaves ?? (quick ? 100_000 : 10_000_000));
const exported = Number(values.export ?? (quick ? 2_000 : 100_000));
const chosen = stores.filter((store) => values.only === undefined || store === values.only);
if (chosen.length === 0 || ![seconds, leaves, exported].every((n) => n > 0))
  throw new Error("see the head of bench/src/sign.ts");

const clients = 256;
const quantile = (list: readonly number[], part: number): number =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))] ?? 0;

/** Milliseconds that each of `count` calls took. */
async function timesOf(count: number, call: (i: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    await call(i);
    times.push(performance.now() - before);
  }
  return times;
}

/** Receipts each second, all clients waiting for durability, with the log sequenced in the same process. */
async function rate({
  add,
  db,
  log,
}: House): Promise<{ perSecond: number; lags: number[]; tenantId: string }> {
  const tenantId = newId();
  await add(tenantId);
  log.start();
  const lags: number[] = [];
  let until = performance.now() + 1_000; // warm-up
  let count = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      await add(tenantId);
      count += 1;
    }
  };
  const all = (): Promise<unknown> => Promise.all(Array.from({ length: clients }, client));
  await all();
  count = 0;
  const begin = performance.now();
  until = begin + seconds * 1_000;
  const watch = setInterval(async () => {
    const [row] = await db.system.query<{ ms: number | null }>(sql`
      select (extract(epoch from clock_timestamp()) * 1000
        - ('x' || left(replace(min(receipt_id::text), '-', ''), 12))::bit(48)::int8)::float8 as ms
      from receipt_pending where tenant_id = ${tenantId}`);
    if (row) lags.push(Math.max(0, row.ms ?? 0));
  }, 100);
  await all();
  const took = (performance.now() - begin) / 1_000;
  clearInterval(watch);
  return { perSecond: count / took, lags, tenantId };
}

/** How long a head over 256 new receipts takes on a log of each size, and a proof on the largest. */
async function growth(
  house: House,
): Promise<{ rows: Row[]; proof: number[]; append: Record<string, number> }> {
  const { add, log } = house;
  const rows: Row[] = [];
  const append: Record<string, number> = {};
  let tenantId = "";
  for (let size = 10_000; size <= leaves; size *= 10) {
    tenantId = await plantTree(house, size);
    await log.sequenceNow(tenantId);
    const heads: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      await Promise.all(Array.from({ length: 256 }, () => add(tenantId)));
      const [ms = 0] = await timesOf(1, () => log.sequenceNow(tenantId));
      heads.push(ms);
    }
    append[size] = (quantile(heads, 0.5) / 256) * 1_000;
    rows.push({
      leaves: whole(size),
      "256 appended, p50 ms": millis(quantile(heads, 0.5)),
      "one append, us": millis(append[size] ?? 0),
    });
  }
  const proof = await timesOf(2_000, () => log.leaf(tenantId, idOf(Math.floor(Math.random() * leaves))));
  return { rows, proof, append };
}

/** Receipts with proofs, page by page, as an export makes them; the most memory that was in use. */
async function exporting(house: House, tenantId: string) {
  const { receipts, log } = house;
  for (let added = 0; added < exported; added += clients)
    await Promise.all(Array.from({ length: clients }, () => house.add(tenantId)));
  await log.logged(tenantId);
  const verifier = createVerifier([await receipts.trust(tenantId)], createNodeCrypto());
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let [count, bytes, most, verifyMs, verified] = [0, 0, 0, 0, 0];
  const begin = performance.now();
  for (let cursor: string | null | undefined; cursor !== null && count < exported; ) {
    const page: Awaited<ReturnType<typeof receipts.list>> = await receipts.list(
      tenantId,
      {},
      { limit: 500, cursor: cursor ?? null, order: "oldest" },
    );
    const items = await log.exportSome(
      tenantId,
      page.items.map(({ id }) => id),
    );
    for (const { proof } of items) bytes += proof.length;
    const started = performance.now();
    for (const { proof, receiptId } of items.slice(0, quick ? 100 : 50)) {
      const report = await verifier.verify(proof, { receiptId });
      if (report.verdict !== "verified") throw new Error(`an exported receipt is ${report.verdict}`);
      verified += 1;
    }
    verifyMs += performance.now() - started;
    count += items.length;
    most = Math.max(most, process.memoryUsage.rss());
    cursor = page.next;
  }
  const took = (performance.now() - begin - verifyMs) / 1_000;
  return { count, bytes, took, growth: most - before, verifyUs: (verifyMs / verified) * 1_000 };
}

const facts = machineFacts();
console.log(`${renderFacts(facts)}\n`);
const figures: Record<string, unknown> = { facts, seconds, leaves, exported };
const table: Row[] = [];
const measured: [Store, Figures][] = [];
for (const store of chosen satisfies readonly Store[]) {
  await using house = await openHouse(store);
  const { perSecond, lags, tenantId } = await rate(house);
  const out = await exporting(house, tenantId);
  const grown = await growth(house);
  const proofP99 = quantile(grown.proof, 0.99);
  table.push({
    store,
    "receipts/s": whole(perSecond),
    "behind p50 ms": whole(quantile(lags, 0.5)),
    "behind p99 ms": whole(quantile(lags, 0.99)),
    "proof p99 ms": millis(proofP99),
    "verify us": whole(out.verifyUs),
    "exported/s": whole(out.count / out.took),
    "memory MiB": `+${whole(out.growth / 2 ** 20)}`,
  });
  console.log(`${store}\n${renderTable(grown.rows)}\n`);
  measured.push([
    store,
    {
      rate: perSecond,
      behind: quantile(lags, 0.99),
      proof: proofP99,
      verify: out.verifyUs,
      memory: out.growth,
    },
  ]);
  figures[store] = {
    receiptsPerSecond: perSecond,
    behindMs: { p50: quantile(lags, 0.5), p99: quantile(lags, 0.99), max: Math.max(...lags) },
    proofMs: { p50: quantile(grown.proof, 0.5), p99: proofP99 },
    appendUs: grown.append,
    verifyUs: out.verifyUs,
    export: { receipts: out.count, seconds: out.took, bytes: out.bytes, memoryGrowthBytes: out.growth },
  };
}
/** What must hold on two cores that do nothing else. */
const floors = (store: Store, f: Figures): [string, boolean][] => [
  [
    `${store}: ${store === "postgres" ? "5,000" : "2,000"} receipts/s`,
    f.rate >= (store === "postgres" ? 5_000 : 2_000),
  ],
  [`${store}: the head at most 1 s behind (p99)`, f.behind <= 1_000],
  [`${store}: an inclusion proof in 10 ms (p99)`, f.proof <= 10],
  [`${store}: a receipt verified in 150 us`, f.verify <= 150],
  [`${store}: an export in constant memory`, f.memory <= 256 * 2 ** 20],
];

console.log(
  `${clients} clients, each waiting for its receipt; ${whole(leaves)} leaves; ${whole(exported)} exported\n`,
);
console.log(renderTable(table));
for (const [store, found] of measured)
  for (const [what, held] of floors(store, found)) console.log(`${held ? "held  " : "MISSED"}  ${what}`);
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
