/**
 * Runs that exclude each other: those of one flow under one concurrency key. A run has its key from being let in to
 * its end, also while it waits or is paused.
 *
 * K1 at no time have more runs a key than its flow's limit says: whoever starts or lets in a run under it counts
 *    under the key's lock.
 * K2 in mode `queue` a start that finds the key taken waits; the next is let in by the end of a holder, by priority
 *    and then age. What is lost of that is found by the sweep (invariants.ts, I3).
 * K3 in mode `reject` such a start is refused and leaves nothing behind.
 * K4 in mode `cancel-oldest` it aborts the oldest holders, and all that wait, in its own transaction.
 * K5 a repeated start, by its start key, answers with the first one whatever the mode says.
 * A sub-run waits in every mode: its parent has begun already.
 */
import { createHash } from "node:crypto";
import type { CompiledFlow, Scope } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import { applyWrites, type Database, FenceLost, type Tx, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { type Fault, formatId, OarsError } from "#platform/kernel";
import type { Receipts } from "#sign/receipts";
import { endOf } from "./after-end.ts";
import { admitNext, findBlocked, findHolders, type Holder, isStarted, lockKey } from "./concurrency-store.ts";
import { addRunEnd } from "./run-receipts.ts";
import { abortRun } from "./store.ts";
import { insertRun, type RunRow } from "./writes.ts";

/** Longer values are kept as their digest. */
const maxText = 200;

/** The key of a run, or null where its flow has none. Throws RUN_KEY_INVALID when it cannot be told. */
export async function keyOf(
  flow: Pick<CompiledFlow, "name" | "concurrency">,
  scope: Pick<Scope, "params" | "trigger">,
): Promise<string | null> {
  if (!flow.concurrency) return null;
  const run = { id: "", flow: flow.name, version: "", startedAt: "" };
  let value: unknown;
  try {
    value = await flow.concurrency.key.render({ ...scope, steps: {}, run });
  } catch (cause) {
    throw new OarsError("RUN_KEY_INVALID", { flow: flow.name }, { cause });
  }
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return `${flow.name}\n${text.length > maxText ? digest(text) : text}`;
}

const digest = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

export interface KeyedDeps {
  readonly db: Database;
  readonly outbox: Pick<Outbox, "emit">;
  readonly receipts: Pick<Receipts, "add">;
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly fault: Fault;
  /** A run of this process was aborted to make room. */
  readonly onAborted: (runId: string) => void;
}

/** A run with its key. */
type KeyedRow = RunRow & { readonly concurrency_key: string };

/** `params` is the JSON text of its parameters, which the row may have elsewhere. */
interface Begun {
  readonly params: string;
  /** Written in the same transaction. */
  readonly along: WriteSet | undefined;
}

/**
 * Starts a run of a flow with a key. False: its start key is taken.
 * Errors: RUN_CONCURRENCY_REJECTED, RUN_KEY_INVALID.
 */
export async function startKeyed(
  deps: KeyedDeps,
  draft: RunRow,
  flow: CompiledFlow,
  { params, along = new WriteSet() }: Begun,
): Promise<boolean> {
  const { concurrency } = flow;
  const key = await keyOf(flow, { params: parsed(params), trigger: parsed(draft.trigger ?? "{}") });
  if (concurrency === null || key === null) throw new Error(`${flow.name} has no concurrency key`);
  const blocked = concurrency.mode === "queue";
  const row: KeyedRow = { ...draft, concurrency_key: key, concurrency_limit: concurrency.limit, blocked };
  const { tenant_id: tenantId, start_key: startKey } = row;
  const starters = new Map<string, Caller>();
  const attempt = (): Promise<boolean | Unknown> =>
    deps.db.tx(tenantId, async (tx) => {
      await lockKey(tx, tenantId, key);
      if (startKey !== null && (await isStarted(tx, tenantId, startKey))) return false;
      if (concurrency.mode !== "queue") {
        const unknown = await makeRoom(deps, tx, row, concurrency, starters);
        if (unknown.length > 0) return { unknown };
      }
      await applyWrites(tx, new WriteSet().add(insertRun, row).merge(along));
      if (blocked) await admitNext(tx, tenantId, key);
      deps.fault("engine.in-admission");
      return true;
    });
  try {
    for (;;) {
      const started = await attempt();
      if (typeof started === "boolean") return started;
      // not within the transaction: the embedded database would wait for itself
      for (const id of started.unknown) starters.set(id, await deps.whoIs(tenantId, id));
    }
  } catch (error) {
    if (error instanceof FenceLost && error.fence === insertRun.name) return false; // started under another key meanwhile
    throw error;
  }
}

/** Principals whose runs would have to end and have to be signed for: nothing has been written. */
interface Unknown {
  readonly unknown: readonly string[];
}

const parsed = (json: string): Record<string, unknown> => JSON.parse(json) as Record<string, unknown>; // an object's text

async function makeRoom(
  deps: KeyedDeps,
  tx: Tx,
  row: KeyedRow,
  { limit, mode }: NonNullable<CompiledFlow["concurrency"]>,
  starters: ReadonlyMap<string, Caller>,
): Promise<readonly string[]> {
  const { tenant_id: tenantId, concurrency_key: key } = row;
  const holders = await findHolders(tx, tenantId, key);
  if (mode === "reject") {
    const waiting = await findBlocked(tx, tenantId, key, 1);
    if (holders.length + waiting.length < limit) return [];
    const [first] = holders;
    const by = first ? formatId("run", first.id) : "another run";
    throw new OarsError("RUN_CONCURRENCY_REJECTED", { flow: row.flow_name, by });
  }
  const waiting = await findBlocked(tx, tenantId, key, 10_000);
  const oldest = holders.slice(0, Math.max(0, holders.length - limit + 1));
  const superseded = [...waiting, ...oldest];
  const unknown = superseded.filter((h) => h.signed && !starters.has(h.principalId));
  if (unknown.length > 0) return [...new Set(unknown.map((h) => h.principalId))];
  for (const holder of superseded) await supersede(deps, tx, row, holder, starters.get(holder.principalId));
  return [];
}

/** The same as an abort by a person, with what follows from it. */
async function supersede(
  deps: KeyedDeps,
  tx: Tx,
  by: RunRow,
  { id, principalId }: Holder,
  starter: Caller | undefined,
): Promise<void> {
  const { tenant_id: tenantId } = by;
  const message = `The newer run ${formatId("run", by.id)} has the same concurrency key.`;
  const error = { code: "RUN_SUPERSEDED", message };
  const run = await abortRun(tx, tenantId, id, error);
  if (!run) return; // it ended meanwhile
  const set = await endOf(deps, tx, tenantId, id, principalId);
  if (run.signed && starter)
    await addRunEnd(deps.receipts, set, run, { status: "aborted", error }, starter, tx);
  await applyWrites(tx, set);
  tx.onCommit(() => deps.onAborted(id));
}

/** Lets in whoever is next under the key. Repeatable: without room, or with nobody there, it does nothing. */
export const admit = (db: Database, tenantId: string, key: string): Promise<number> =>
  db.tx(tenantId, async (tx) => {
    await lockKey(tx, tenantId, key);
    return admitNext(tx, tenantId, key);
  });
