/**
 * The engine of one process: claims runs up to its free slots, drives them, fires timers. What it holds is
 * only a cache of what the database says: killed at any point, another worker goes on by the ordinary claim.
 */
import type { Actions } from "#act/actions";
import type { CompiledFlow, Flows } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import { isOutage, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { isOarsError } from "#platform/kernel";
import { type ExecutionDeps, type ExecutionEnd, leftWaits, RunExecution } from "./execution.ts";
import {
  type ClaimedRun,
  cancelWaits,
  claimRuns,
  findLeased,
  fireTimers,
  nextTimer,
  readJournal,
  readLastSeq,
  readWaits,
  requeueOf,
  resolveWaits,
} from "./store.ts";
import { finishRun, insertRun, type RunRow, releaseRun } from "./writes.ts";

export interface EngineDeps extends Omit<ExecutionDeps, "committer" | "onTimer" | "onJournal" | "outbox"> {
  readonly db: Database;
  readonly workerId: string;
  readonly flows: Pick<Flows, "compiled">;
  readonly actions: ExecutionDeps["actions"] & Pick<Actions, "cancelOf">;
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly outbox: Pick<Outbox, "emit" | "on">;
  /** Runs in hand at once. */
  readonly maxConcurrency: number;
  readonly onRun: (flow: string, status: ExecutionEnd, ms: number) => void;
  readonly onQueueWait: (kind: string, ms: number) => void;
  /** Runs of a worker that died or left are queued again. */
  readonly onTakeover: (workerId: string, runs: number) => void;
  readonly onError: (error: unknown, what: string) => void;
}

export interface NewRun extends Omit<RunRow, "status" | "lease_worker" | "lease_epoch"> {}

export interface Engine {
  start(): void;
  /** Takes no more runs and hands back those that do not end within the time. */
  stop(graceMs: number): Promise<void>;
  /** Makes the run durable and, when a slot is free, takes it at once. False: its start key is taken. */
  accept(run: NewRun, flow: CompiledFlow): Promise<boolean>;
  /** There may be queued runs: look now. */
  wake(): void;
  /** Drops a run that an operator took away. */
  surrender(runId: string): void;
  /** Calls back when new journal entries of the run are durable; returns how to stop that. */
  watch(runId: string, listener: () => void): () => void;
  onDeath(tx: Tx, workerId: string): Promise<void>;
  inHand(): number;
  /**
   * Hands back what the database says this process holds and it does not, now and when it was last called: the
   * answer to a claim or to a start was lost on its way. Returns how many.
   */
  sweep(): Promise<number>;
}

const idleMs = 2000;
const busyMs = 20;
const timerIdleMs = 1000;
const minTimerMs = 5;
/** How long calls that are broken off may take to come back. */
const surrenderMs = 2000;

export function createEngine(deps: EngineDeps): Engine {
  const inHand = new Map<string, RunExecution>();
  const watchers = new Map<string, Set<() => void>>();
  let reserved = 0;
  let running = false;
  let backlog = false;
  let claiming: Promise<void> | undefined;
  let claimAgain = false;
  let claimTimer: NodeJS.Timeout | undefined;
  let timerTimer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let firing: Promise<void> | undefined;
  /** The tenant that the last claim ended with: the next one begins behind it. */
  let lastTenant: string | null = null;
  let strayBefore: ReadonlySet<string> = new Set();

  const executionDeps: ExecutionDeps = {
    ...deps,
    committer: deps.db.committer,
    onTimer: (ms) => armTimer(ms),
    onJournal: (runId) => {
      for (const listener of watchers.get(runId) ?? []) listener();
    },
  };

  const free = (): number => deps.maxConcurrency - inHand.size - reserved;

  const drive = async (execution: RunExecution): Promise<void> => {
    const { run } = execution;
    let end: ExecutionEnd = "lost";
    try {
      end = await execution.drive();
    } catch (error) {
      execution.surrender();
      end = await giveUp(deps, run, error, () => running);
    } finally {
      inHand.delete(run.id);
    }
    if (end !== "lost" && end !== "released")
      deps.onRun(run.flowName, end, Date.now() - run.startedAt.getTime());
    if (backlog) wake();
  };

  const take = async (run: ClaimedRun): Promise<void> => {
    let execution: RunExecution;
    try {
      const flow = await deps.flows.compiled(run.tenantId, run.flowHash);
      const [journal, waits] = await deps.db.read(run.tenantId, (db) =>
        Promise.all([readJournal(db, run.tenantId, run.id), readWaits(db, run.tenantId, run.id)]),
      );
      execution = new RunExecution(executionDeps, run, flow, journal, waits);
      deps.onQueueWait(flow.steps[0]?.kind ?? "none", run.waitedMs);
    } catch (error) {
      await giveUp(deps, run, error, () => running);
      return;
    } finally {
      reserved--;
    }
    inHand.set(run.id, execution);
    await drive(execution);
  };

  const claim = async (): Promise<void> => {
    do {
      claimAgain = false;
      const wanted = Math.min(free(), 256);
      if (!running) return;
      if (wanted <= 0) {
        backlog = true; // whoever ends next looks
        return;
      }
      reserved += wanted;
      let runs: ClaimedRun[] = [];
      try {
        runs = await claimRuns(deps.db, deps.workerId, wanted, lastTenant);
      } finally {
        reserved -= wanted - runs.length;
      }
      backlog = runs.length === wanted;
      lastTenant = lastOf(runs, lastTenant);
      for (const run of runs) void take(run);
      if (backlog) claimAgain = true;
    } while (claimAgain);
  };

  const schedule = (ms: number): void => {
    if (!running) return;
    clearTimeout(claimTimer);
    claimTimer = setTimeout(wake, ms);
  };

  const wake = (): void => {
    claimAgain = true;
    if (!running || claiming !== undefined) return;
    claiming = claim()
      .catch((error) => deps.onError(error, "claim"))
      .finally(() => {
        claiming = undefined;
        schedule(claimAgain ? busyMs : idleMs);
      });
  };

  const armTimer = (ms: number): void => {
    const at = performance.now() + Math.max(0, ms);
    if (!running || at >= timerAt) return;
    timerAt = at;
    clearTimeout(timerTimer);
    timerTimer = setTimeout(fire, Math.max(0, ms));
  };
  const fire = (): void => {
    if (firing !== undefined) return;
    firing = fireDue()
      .catch((error) => {
        deps.onError(error, "timers");
        return timerIdleMs;
      })
      .then((ms) => {
        firing = undefined;
        timerAt = Number.POSITIVE_INFINITY;
        armTimer(ms);
      });
  };
  const fireDue = async (): Promise<number> => {
    for (const execution of inHand.values()) {
      const { deadlineAt } = execution.run;
      if (deadlineAt && Date.now() > deadlineAt.getTime()) execution.expire();
      execution.nudge(); // another process may have fired its timer
    }
    let next = await nextTimer(deps.db);
    if (next !== null && next <= 0) {
      const fired = await deps.db.system.tx((tx) => fireTimers(tx, 500));
      if (fired.length > 0) wake();
      for (const { runId } of fired) inHand.get(runId)?.nudge();
      next = await nextTimer(deps.db);
    }
    return Math.min(timerIdleMs, Math.max(minTimerMs, next ?? timerIdleMs));
  };

  deps.outbox.on("action.ended", async (event) => {
    const key = String(event.payload.actionId);
    const woken = await deps.db.tx(event.tenantId, (tx) => resolveWaits(tx, event.tenantId, "action", key));
    if (woken.length > 0) wake();
    for (const { runId } of woken) inHand.get(runId)?.nudge();
  });
  deps.outbox.on("run.left-waits", async ({ tenantId, payload }) => {
    const runId = String(payload.runId);
    const requester = await deps.whoIs(tenantId, String(payload.principalId));
    await deps.db.tx(tenantId, async (tx) => {
      await cancelWaits(tx, tenantId, runId);
      await deps.actions.cancelOf(tx, tenantId, runId, requester);
    });
  });

  return {
    start: () => {
      running = true;
      wake();
      armTimer(0);
    },
    stop: async (graceMs) => {
      running = false;
      clearTimeout(claimTimer);
      clearTimeout(timerTimer);
      await claiming;
      await firing;
      for (const execution of inHand.values()) execution.drain();
      await emptied(inHand, graceMs);
      for (const execution of inHand.values()) execution.surrender();
      await emptied(inHand, surrenderMs);
    },
    accept: async (run, flow) => {
      const direct = running && !backlog && free() > 0;
      if (direct) reserved++;
      try {
        const row: RunRow = {
          ...run,
          status: direct ? "running" : "queued",
          lease_worker: direct ? deps.workerId : null,
          lease_epoch: direct ? 1 : 0,
        };
        const committed = await deps.db.committer.commit(new WriteSet().add(insertRun, row));
        deps.fault("runs.after-start");
        if (!committed.ok) return false;
        if (!direct) wake();
        else {
          const execution = new RunExecution(executionDeps, toClaimed(row), flow, [], []);
          inHand.set(run.id, execution);
          void drive(execution);
        }
        return true;
      } finally {
        if (direct) reserved--;
      }
    },
    wake,
    surrender: (runId) => inHand.get(runId)?.surrender(),
    watch: (runId, listener) => {
      const set = watchers.get(runId) ?? new Set();
      watchers.set(runId, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0) watchers.delete(runId);
      };
    },
    onDeath: async (tx, workerId) => {
      const requeued = await requeueOf(tx, workerId);
      if (requeued.length === 0) return;
      tx.onCommit(() => {
        deps.onTakeover(workerId, requeued.length);
        wake();
      });
    },
    inHand: () => inHand.size,
    sweep: async () => {
      const leased = await findLeased(deps.db, deps.workerId);
      const stray = leased.filter((r) => !inHand.has(r.id));
      const twice = stray.filter((r) => strayBefore.has(`${r.id} ${r.epoch}`));
      strayBefore = new Set(stray.map((r) => `${r.id} ${r.epoch}`));
      for (const { tenantId, id, epoch } of twice) {
        const key = { tenant_id: tenantId, id, epoch, delay_ms: 0 };
        await deps.db.committer.commit(new WriteSet().add(releaseRun, key));
      }
      if (twice.length > 0) wake();
      return twice.length;
    },
  };
}

async function emptied(inHand: ReadonlyMap<string, unknown>, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (inHand.size > 0 && performance.now() < deadline) await new Promise((done) => setTimeout(done, 5));
}

/** Claims go round the tenants in the order of their ids: the last one behind `before`, or after the turn. */
function lastOf(runs: readonly ClaimedRun[], before: string | null): string | null {
  const tenants = runs.map((r) => r.tenantId).sort();
  const turned = tenants.filter((t) => before !== null && t <= before);
  return turned.at(-1) ?? tenants.at(-1) ?? before;
}

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
    epoch: row.lease_epoch,
    wakeSeq: 0,
    lastSeq: 0,
    startedAt: now,
    deadlineAt: new Date(now.getTime() + row.timeout_ms),
    waitedMs: 0,
  };
}

/**
 * The owner cannot go on. While the database is out of reach the run is handed back as soon as it answers again;
 * a run that cannot be interpreted fails with a reason instead of being claimed for ever.
 */
async function giveUp(
  deps: EngineDeps,
  run: ClaimedRun,
  error: unknown,
  running: () => boolean,
): Promise<ExecutionEnd> {
  deps.onError(error, `run ${run.id}`);
  const key = { tenant_id: run.tenantId, id: run.id, epoch: run.epoch };
  const outage = isOutage(error);
  const broken = isOarsError(error)
    ? error
    : { code: "RUN_BROKEN", message: "The run cannot be interpreted." };
  const { code, message } = broken;
  for (let ms = 100; running(); ms = Math.min(ms * 2, 5_000)) {
    try {
      const set = new WriteSet();
      if (outage) set.add(releaseRun, { ...key, delay_ms: 1_000 });
      else {
        const lastSeq = await deps.db.read(run.tenantId, (db) => readLastSeq(db, run.tenantId, run.id));
        const end = { status: "failed", output: null, error: JSON.stringify({ code, message }) } as const;
        set.add(finishRun, { ...key, ...end, last_seq: Math.max(lastSeq, run.lastSeq) });
        deps.outbox.emit(set, leftWaits(run));
      }
      const committed = await deps.db.committer.commit(set);
      return committed.ok && !outage ? "failed" : "lost";
    } catch (cause) {
      if (!isOutage(cause)) {
        deps.onError(cause, `end of run ${run.id}`);
        return "lost"; // the sweep hands it back
      }
      await new Promise((done) => setTimeout(done, ms));
    }
  }
  return "lost"; // this process stops: its death hands the run back
}
