/**
 * The engine of one process: claims runs up to its free slots, drives them, fires timers. What it holds is
 * only a cache of what the database says: killed at any point, another worker goes on by the ordinary claim.
 */
import type { Actions } from "#act/actions";
import type { CompiledFlow } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import { type Database, type Tx, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { handleEnds } from "./after-end.ts";
import { Claimer } from "./claim.ts";
import { ClaimLoop } from "./claim-loop.ts";
import { lookAround } from "./claim-store.ts";
import { admit, startKeyed } from "./concurrency.ts";
import type { ExecutionDeps } from "./deps.ts";
import type { ExecutionEnd } from "./execution.ts";
import { createHints, type Heard } from "./hints.ts";
import { RunsInHand } from "./in-hand.ts";
import { keepLarge } from "./payloads.ts";
import { type Expected, RunEnds } from "./run-ends.ts";
import { createRunReceipts, type RunReceiptsDeps } from "./run-receipts.ts";
import { RunWatchers } from "./run-watchers.ts";
import { type ClaimedRun, requeueOf } from "./store.ts";
import { createSweep } from "./sweep.ts";
import { Timers } from "./timers.ts";
import { insertRun, type RunRow } from "./writes.ts";

export interface EngineDeps
  extends Omit<ExecutionDeps, "committer" | "onTimer" | "onJournal" | "onQueued" | "outbox" | "receipts">,
    Pick<RunReceiptsDeps, "receipts" | "signedRuns"> {
  readonly db: Database;
  readonly workerId: string;
  readonly actions: ExecutionDeps["actions"] & Pick<Actions, "cancelOf">;
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly outbox: Pick<Outbox, "emit" | "on">;
  /** Runs in hand at once. */
  readonly maxConcurrency: number;
  /** Runs of all tenants that may run at once, all processes together; null for no cap. */
  readonly maxRunning: number | null;
  /** This process should take on nothing more for now. */
  readonly strained: () => boolean;
  /** Milliseconds that a claim took. */
  readonly onClaim: (ms: number) => void;
  readonly onRun: (flow: string, status: ExecutionEnd, ms: number) => void;
  readonly onQueueWait: (kind: string, ms: number) => void;
  /** Runs of a worker that died or left are queued again. */
  readonly onTakeover: (workerId: string, runs: number) => void;
  readonly onError: (error: unknown, what: string) => void;
}

export interface NewRun extends Omit<RunRow, "status" | "lease_worker" | "lease_epoch"> {}

export interface Engine {
  /** With `worker` it takes runs and fires timers; else it only accepts runs, which other processes execute. */
  start(how: { readonly worker: boolean }): Promise<void>;
  /** Takes no more runs, and goes on with those in hand. */
  quiesce(): Promise<void>;
  /** Takes no more runs and hands back those that do not end within the time. */
  stop(graceMs: number): Promise<void>;
  /**
   * Makes the run durable and, when a slot is free, takes it at once. False: its start key is taken. What is to be
   * durable `along` with it is written in the same commit; such a run is queued, for it may begin with a journal.
   */
  accept(run: NewRun, flow: CompiledFlow, along?: WriteSet): Promise<boolean>;
  /** There may be queued runs: look now. */
  wake(): void;
  /** Something came for the run: its owner looks, or somebody claims it. */
  rouse(runId: string): void;
  /** Drops a run that an operator took away. */
  surrender(runId: string): void;
  /** Tells the end of a run that ends in this process; ask before it is accepted. */
  expectEnd(runId: string): Expected;
  /** Calls back when new entries of the run are durable, wherever it runs; returns how to stop that. */
  watch(runId: string, listener: () => void): () => void;
  onDeath(tx: Tx, workerId: string): Promise<void>;
  inHand(): number;
  /** Whether this process drives the run now. */
  holds(runId: string): boolean;
  /**
   * Hands back what the database says this process holds and it does not, now and when it was last called: the
   * answer to a claim or to a start was lost on its way. Returns how many.
   */
  sweep(): Promise<number>;
}

export function createEngine(deps: EngineDeps): Engine {
  const hints = createHints(deps.db, deps.workerId);
  const watchers = new RunWatchers({ sayWatched: hints.runWatched, sayNews: hints.runNews });
  let unhear = async (): Promise<void> => {};
  const receipts = createRunReceipts(deps);

  const execution: ExecutionDeps = {
    ...deps,
    receipts,
    committer: deps.db.committer,
    onTimer: (ms) => timers.arm(ms),
    onJournal: (runId) => watchers.tell(runId),
    onQueued: (tenantId, key) => {
      if (key === null) wake();
      else letIn(tenantId, key).catch((error) => deps.onError(error, "admission"));
    },
  };
  const ends = new RunEnds();
  const inHand = new RunsInHand({
    ...deps,
    execution,
    onEnd: ({ run, output, state }, status) =>
      ends.tell(run.id, () => ({
        status,
        output: output === null ? null : JSON.parse(output),
        error: state.failure,
      })),
    onFree: (tenantId) => claims.freed(tenantId),
    onHandedBack: () => wake(),
  });
  const claims = new ClaimLoop({
    claimer: new Claimer(deps),
    inHand,
    strained: deps.strained,
    look: async () => {
      const { queued, nextTimerMs } = await lookAround(deps.db);
      timers.noted(nextTimerMs);
      return queued;
    },
    onLeft: hints.runsQueued,
    onClaim: deps.onClaim,
    onError: (error) => deps.onError(error, "claim"),
  });
  /** A tenant is named where its runs have no cap of their flow. */
  const wake = (tenantId?: string): void => claims.wake(tenantId);
  const timers = new Timers({
    db: deps.db,
    inHand,
    onWoken: () => wake(),
    onUnheard: hints.timerSet,
    fault: deps.fault,
    onError: (error) => deps.onError(error, "timers"),
  });
  const handBackStray = createSweep(deps.db, deps.workerId, inHand);

  const letIn = async (tenantId: string, key: string): Promise<void> => {
    if ((await admit(deps.db, tenantId, key)) === 0) return;
    deps.fault("engine.after-admission");
    wake();
  };
  deps.outbox.on("run.ended", async ({ tenantId, payload }) => {
    if (payload.concurrencyKey) await letIn(tenantId, String(payload.concurrencyKey));
  });
  const onAborted = (runId: string): void => inHand.get(runId)?.surrender();
  const keyed = { ...deps, onAborted };
  handleEnds({
    ...deps,
    onWoken: (runIds) => {
      wake();
      for (const id of runIds) inHand.get(id)?.nudge();
    },
    onAborted,
  });

  const quiesce = async (): Promise<void> => {
    await Promise.all([claims.stop(), timers.stop()]);
  };
  return {
    start: async ({ worker }) => {
      const follow: Heard = {
        watched: (runId) => watchers.heardWatched(runId, inHand.has(runId)),
        news: (runId) => watchers.heardNews(runId),
      };
      if (!worker) {
        unhear = await hints.listen(follow);
        return;
      }
      inHand.start();
      timers.start();
      claims.start();
      const queued = (tenantId: string): void => claims.heard(tenantId === "" ? undefined : tenantId);
      unhear = await hints.listen({ ...follow, queued, timer: () => timers.arm(0) });
    },
    quiesce,
    stop: async (graceMs) => {
      await quiesce();
      await inHand.stop(graceMs);
      watchers.close();
      await unhear();
    },
    accept: async (run, flow, more) => {
      const kept = await keepLarge(deps.blobs, { tenantId: run.tenant_id, runId: run.id }, run.params);
      const signed = receipts.wanted(flow);
      const start = signed ? new WriteSet() : undefined;
      if (start) await receipts.started(start, toSigned(run));
      const parts = [kept?.along, more, start].filter((part) => part !== undefined);
      const along =
        parts.length > 0 ? parts.reduce((all, part) => all.merge(part), new WriteSet()) : undefined;
      const queued: RunRow = {
        ...run,
        params: kept?.text ?? run.params,
        status: "queued",
        lease_worker: null,
        lease_epoch: 0,
        flow_max: flow.maxRuns,
        signed,
      };
      if (flow.concurrency) {
        const started = await startKeyed(keyed, queued, flow, { params: run.params, along });
        deps.fault("runs.after-start");
        if (started) wake();
        return started;
      }
      if (!more && claims.openTo(run.tenant_id) && flow.maxRuns === null && deps.maxRunning === null) {
        const row: RunRow = { ...queued, status: "running", lease_worker: deps.workerId, lease_epoch: 1 };
        inHand.reserve(1);
        const born = await inHand.begin(row, toClaimed({ ...row, params: run.params }), flow, along);
        deps.fault("runs.after-start");
        if (born) return true;
      }
      const set = new WriteSet().add(insertRun, queued).merge(along ?? new WriteSet());
      const { ok } = await deps.db.committer.commit(set);
      deps.fault("runs.after-start");
      if (ok) wake(flow.maxRuns === null ? run.tenant_id : undefined);
      return ok;
    },
    wake: () => wake(),
    rouse: (runId) => {
      wake();
      watchers.tell(runId);
      timers.arm(0); // an order may have set one
      inHand.get(runId)?.nudge();
    },
    expectEnd: (runId) => ends.expect(runId),
    surrender: (runId) => inHand.get(runId)?.surrender(),
    watch: (runId, listener) => watchers.watch(runId, listener),
    onDeath: async (tx, workerId) => {
      const requeued = await requeueOf(tx, workerId);
      if (requeued.length === 0) return;
      deps.fault("engine.in-takeover");
      tx.onCommit(() => {
        deps.fault("engine.after-takeover");
        deps.onTakeover(workerId, requeued.length);
        wake();
      });
    },
    inHand: () => inHand.size,
    holds: (runId) => inHand.has(runId),
    sweep: async () => {
      const handedBack = await handBackStray();
      if (handedBack > 0) wake();
      return handedBack;
    },
  };
}

const toSigned = (run: NewRun) => ({
  tenantId: run.tenant_id,
  id: run.id,
  flowName: run.flow_name,
  flowVersion: run.flow_version,
  flowHash: run.flow_hash,
  principalId: run.principal_id,
});

function toClaimed(row: RunRow): ClaimedRun {
  const now = new Date();
  return {
    tenantId: row.tenant_id,
    id: row.id,
    flowName: row.flow_name,
    flowVersion: row.flow_version,
    flowHash: row.flow_hash,
    principalId: row.principal_id,
    params: JSON.parse(row.params) as Record<string, unknown>, // made from an object by the caller
    trigger: row.trigger === null ? null : (JSON.parse(row.trigger) as Record<string, unknown>), // likewise
    priority: row.priority,
    depth: row.depth ?? 0,
    parentRunId: row.parent_run_id ?? null,
    concurrencyKey: row.concurrency_key ?? null,
    originRunId: row.origin_run_id ?? null,
    signed: row.signed ?? false,
    epoch: row.lease_epoch,
    wakeSeq: 0,
    lastSeq: 0,
    startedAt: now,
    deadlineAt: new Date(now.getTime() + row.timeout_ms),
    waitedMs: 0,
  };
}
