/**
 * Policy decisions in process, through `decide()` on an embedded database, for bundles of 1, 100 and 1,000
 * policies of which four can fit any one tool; `chain` is an agent that acts for a person, and both are asked
 * about. Beside it, in the same run: the same bundle without slicing, and Cedar given policies and schema as
 * text on each call.
 *
 *   node --conditions=oars-source bench/src/policy.ts
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine } from "../../apps/server/src/act/policy/engine.ts";
import { createEvaluator } from "../../apps/server/src/act/policy/evaluate.ts";
import {
  bundleFrom,
  manyPolicies,
  sampleCaller,
  sampleFacts,
  sampleRequest,
} from "../../apps/server/src/act/policy/samples.ts";
import { guards, schemaText } from "../../apps/server/src/act/policy/schema.ts";
import { createPolicy } from "../../apps/server/src/act/policy/service.ts";
import { openDatabase } from "../../apps/server/src/platform/db/index.ts";
import { newId, systemClock } from "../../apps/server/src/platform/kernel/index.ts";

type Cedar = typeof import("@cedar-policy/cedar-wasm/nodejs");
const cedar = createRequire(import.meta.url)("@cedar-policy/cedar-wasm/nodejs") as Cedar; // its own declaration

/** Median, 99th percentile (both in microseconds) and calls per second of `fn`, after a warm-up. */
async function measure(
  rounds: number,
  fn: () => unknown,
): Promise<{ p50: number; p99: number; rate: number }> {
  for (let i = 0; i < Math.min(500, rounds); i++) await fn();
  const times: number[] = [];
  const started = performance.now();
  for (let i = 0; i < rounds; i++) {
    const before = performance.now();
    await fn();
    times.push(performance.now() - before);
  }
  const rate = Math.round((rounds * 1_000) / (performance.now() - started));
  times.sort((a, b) => a - b);
  const at = (part: number): number => Math.round((times[Math.floor(rounds * part)] ?? 0) * 1_000);
  return { p50: at(0.5), p99: at(0.99), rate };
}

async function timed<T>(fn: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  const value = await fn();
  return [value, Math.round(performance.now() - started)];
}

const held = `@id("held") @require_approval("approver:2")
  forbid (principal, action == Oars::Action::"pay", resource == Oars::Tool::"c0/http.request")
  unless { context.approvals.count >= 2 };`;

const dataDir = await mkdtemp(join(tmpdir(), "oars-bench-"));
const db = await openDatabase({ store: { kind: "pglite", dataDir } });
const rows: Record<string, string | number>[] = [];
try {
  const policy = createPolicy({
    db,
    receipts: { add: async () => undefined },
    clock: systemClock,
    facts: async () => sampleFacts,
  });
  for (const count of [1, 100, 1_000]) {
    const caller = sampleCaller(newId());
    const source = { cedar: `${manyPolicies(count)}\n${held}` };
    const [version, createMs] = await timed(() => policy.createVersion(caller, source));
    const [, publishMs] = await timed(() => policy.publish(caller, version.id));
    const tool = { name: "c0/http.request" };
    const read = sampleRequest({ tenantId: caller.tenantId, tool: { ...tool, verb: "read" } });
    const pay = sampleRequest({ tenantId: caller.tenantId, tool });
    const [first, firstMs] = await timed(() => policy.decide(read));
    const effects = [first.effect, (await policy.decide(pay)).effect].join();
    if (effects !== "allow,require_approval") throw new Error(`the bench asks the wrong things: ${effects}`);
    const allow = await measure(5_000, () => policy.decide(read));
    const approval = await measure(3_000, () => policy.decide(pay));
    const person = { id: newId(), kind: "user", roles: ["agent"] } as const;
    const chained = { ...read, onBehalfOf: person };
    if ((await policy.decide(chained)).effect !== "allow") throw new Error("the chain is not allowed");
    const chain = await measure(3_000, () => policy.decide(chained));

    const engine = createEngine();
    const bundle = bundleFrom(engine, source.cedar);
    const wide = {
      ...bundle,
      policies: bundle.policies.map((p) => ({ ...p, verbs: null, resource: null, reads: null })),
    };
    const evaluator = createEvaluator(engine);
    const unsliced = await measure(count > 100 ? 300 : 2_000, () => evaluator.decide(wide, read));
    const { principal, action, resource, context, entities } = first.envelope ?? never();
    const call = {
      ...{ principal, action, resource, context, entities },
      schema: schemaText(sampleFacts),
      policies: {
        staticPolicies: { ...Object.fromEntries(bundle.policies.map((p) => [p.id, p.text])), ...guards },
      },
    } as Parameters<Cedar["isAuthorized"]>[0]; // the very request that decide() asks
    const text = await measure(20, () => cedar.isAuthorized(call));
    rows.push({
      policies: count,
      "create ms": createMs,
      "publish ms": publishMs,
      "first ms": firstMs,
      "allow p50 µs": allow.p50,
      "allow p99 µs": allow.p99,
      "allow /s": allow.rate,
      "chain p50 µs": chain.p50,
      "chain p99 µs": chain.p99,
      "approval p50 µs": approval.p50,
      "approval p99 µs": approval.p99,
      "unsliced p50 µs": unsliced.p50,
      "as text p50 µs": text.p50,
    });
  }
} finally {
  await db.close();
  await rm(dataDir, { recursive: true, force: true });
}
console.table(rows);
console.log(`node ${process.version}, ${Math.round(process.memoryUsage().rss / 1e6)} MB resident`);

function never(): never {
  throw new Error("an allowed decision carries what was asked");
}
