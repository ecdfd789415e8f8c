/**
 * The runs that this process holds and the slots that they take. Owns: reading a claimed run back, driving it,
 * what becomes of one that cannot go on. What is held is only a cache of what the database says.
 */
import type { CompiledFlow, Flows } from "#orchestrate/flows";
import { type Database, isOutage, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { isOarsError } from "#platform/kernel";
import { readSignals } from "./control-store.ts";
import type { ExecutionDeps } from "./deps.ts";
import { type ExecutionEnd, type Known, leftWaits, RunExecution, runEnded } from "./execution.ts";
import { loadRow } from "./payloads.ts";
import { type ClaimedRun, readJournal, readLastSeq, readWaits } from "./store.ts";
import { finishRun, type RunRow, releaseRun } from "./writes.ts";

export interface InHandDeps {
  readonly db: Database;
  readonly execution: ExecutionDeps;
  readonly flows: Pick<Flows, "compiled">;
  readonly outbox: Pick<Outbox, "emit">;
  /** Runs in hand at once. */
  readonly maxConcurrency: number;
  readonly onRun: (flow: string, status: ExecutionEnd, ms: number) => void;
  readonly onQueueWait: (kind: string, ms: number) => void;
  /** The run has ended here, and that is durable. */
  readonly onEnd: (execution: RunExecution, status: "completed" | "failed" | "aborted") => void;
  /** A run of this tenant has left its slot. */
  readonly onFree: (tenantId: string) => void;
  /** A run is queued again, for this process stops. */
  readonly onHandedBack: () => void;
  readonly onError: (error: unknown, what: string) => void;
}

/** How long calls that are broken off may take to come back. */
const surrenderMs = 2000;

/** Runs of one tenant that count as few, and slots that are kept for tenants with so few. */
const few = 16;
const mostSpare = 64;

export class RunsInHand {
  readonly #deps: InHandDeps;
  readonly #executions = new Map<string, RunExecution>();
  readonly #ofTenant = new Map<string, number>();
  #reserved = 0;
  #running = false;

  constructor(deps: InHandDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#executions.size;
  }

  /** Slots that nobody has or is about to have. */
  get free(): number {
    return this.#deps.maxConcurrency - this.#executions.size - this.#reserved;
  }

  /**
   * Of these, slots that claims leave alone: a tenant that has little under way begins at once in one of them, and
   * does not wait for a wave of another's runs to pass.
   */
  get spare(): number {
    return Math.min(mostSpare, Math.floor(this.#deps.maxConcurrency / 8));
  }

  /** Whether the tenant has so few runs here that a spare slot is for it. */
  hasFew(tenantId: string): boolean {
    return (this.#ofTenant.get(tenantId) ?? 0) < few;
  }

  #count(tenantId: string, change: 1 | -1): void {
    const count = (this.#ofTenant.get(tenantId) ?? 0) + change;
    if (count > 0) this.#ofTenant.set(tenantId, count);
    else this.#ofTenant.delete(tenantId);
  }

  has(runId: string): boolean {
    return this.#executions.has(runId);
  }

  get(runId: string): RunExecution | undefined {
    return this.#executions.get(runId);
  }

  all(): Iterable<RunExecution> {
    return this.#executions.values();
  }

  /** Slots for runs that are on their way here. `unreserve` those that do not come; `take` uses one up. */
  reserve(count: number): void {
    this.#reserved += count;
  }

  unreserve(count: number): void {
    this.#reserved -= count;
  }

  start(): void {
    this.#running = true;
  }

  /** Hands back those that do not end within the time. */
  async stop(graceMs: number): Promise<void> {
    this.#running = false;
    for (const execution of this.all()) execution.drain();
    await this.#emptied(graceMs);
    for (const execution of this.all()) execution.surrender();
    await this.#emptied(surrenderMs);
  }

  /** Reads back a run that was claimed into a reserved slot, and drives it. */
  async take(run: ClaimedRun): Promise<void> {
    const { db, flows, execution, onQueueWait } = this.#deps;
    let taken: RunExecution;
    try {
      execution.fault("engine.after-claim");
      const flow = await flows.compiled(run.tenantId, run.flowHash);
      const { tenantId, id } = run;
      const awaitsSignals = flow.signals.size > 0;
      const begun = run.epoch > 1 || run.originRunId !== null;
      const read = (): Promise<Known> =>
        db.read(tenantId, async (tx) => {
          const [journal, waits, signals] = await Promise.all([
            readJournal(tx, tenantId, id),
            readWaits(tx, tenantId, id),
            awaitsSignals ? readSignals(tx, tenantId, id) : [],
          ]);
          return { journal, waits, signals };
        });
      // nobody has had a run of the first epoch before: it has neither journal nor waits
      const known = begun || awaitsSignals ? await read() : { journal: [], waits: [], signals: [] };
      const params = await loadRow(execution.blobs, { tenantId, runId: id }, run.params);
      const whole = { ...run, params: params as ClaimedRun["params"] }; // an object when it was started
      taken = new RunExecution(execution, whole, flow, known);
      onQueueWait(flow.steps[0]?.kind ?? "none", run.waitedMs);
    } catch (error) {
      await this.#giveUp(run, error);
      this.#reserved--;
      return this.#deps.onFree(run.tenantId);
    }
    this.#reserved--;
    await this.#drive(taken);
  }

  /**
   * Drives a new run in a reserved slot. Its row rides with its first commit, so a run that has nothing durable to
   * wait for is one commit in all; a run whose steps take their time is made durable apart from them. False: its
   * start key is taken, and nothing has happened.
   */
  begin(row: RunRow, run: ClaimedRun, flow: CompiledFlow, along?: WriteSet): Promise<boolean> {
    this.#reserved--;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const birth = { row, along, settle: resolve, fail: reject };
    const known = { journal: [], waits: [], signals: [], birth };
    const execution = new RunExecution(this.#deps.execution, run, flow, known);
    void this.#drive(execution);
    setImmediate(() => {
      if (!execution.ending) void execution.writer.flush();
    });
    return promise;
  }

  async #drive(execution: RunExecution): Promise<void> {
    const { run } = execution;
    this.#executions.set(run.id, execution);
    this.#count(run.tenantId, 1);
    let end: ExecutionEnd = "lost";
    try {
      end = await execution.drive();
      if (end === "released") await this.#handBack(run);
    } catch (error) {
      execution.surrender();
      end = await this.#giveUp(run, error);
    } finally {
      this.#executions.delete(run.id);
      this.#count(run.tenantId, -1);
    }
    if (end === "completed" || end === "failed" || end === "aborted") this.#deps.onEnd(execution, end);
    if (end !== "lost" && end !== "released")
      this.#deps.onRun(run.flowName, end, Date.now() - run.startedAt.getTime());
    this.#deps.onFree(run.tenantId);
  }

  /** At once, so that others go on with it while the rest here comes to its end. */
  async #handBack(run: ClaimedRun): Promise<void> {
    try {
      const { ok } = await this.#deps.db.committer.commit(handedBack(run, 0));
      if (ok) this.#deps.onHandedBack();
    } catch (error) {
      this.#deps.onError(error, `run ${run.id}`); // the end of this process hands it back
    }
  }

  async #emptied(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (this.#executions.size > 0 && performance.now() < deadline)
      await new Promise((done) => setTimeout(done, 5));
  }

  /**
   * The owner cannot go on. While the database is out of reach the run is handed back as soon as it answers again;
   * a run that cannot be interpreted fails with a reason instead of being claimed for ever.
   */
  async #giveUp(run: ClaimedRun, error: unknown): Promise<ExecutionEnd> {
    const { db, onError } = this.#deps;
    onError(error, `run ${run.id}`);
    const outage = isOutage(error);
    for (let ms = 100; this.#running; ms = Math.min(ms * 2, 5_000)) {
      try {
        const set = outage ? handedBack(run, 1_000) : await this.#failed(run, error);
        const committed = await db.committer.commit(set);
        return committed.ok && !outage ? "failed" : "lost";
      } catch (cause) {
        if (!isOutage(cause)) {
          onError(cause, `end of run ${run.id}`);
          return "lost"; // the sweep hands it back
        }
        await new Promise((done) => setTimeout(done, ms));
      }
    }
    return "lost"; // this process stops: its death hands the run back
  }

  async #failed(run: ClaimedRun, cause: unknown): Promise<WriteSet> {
    const { db, outbox, execution } = this.#deps;
    const { tenantId, id, epoch } = run;
    const { code, message } = isOarsError(cause)
      ? cause
      : { code: "RUN_BROKEN", message: "The run cannot be interpreted." };
    const lastSeq = await db.read(tenantId, (tx) => readLastSeq(tx, tenantId, id));
    const set = new WriteSet().add(finishRun, {
      tenant_id: tenantId,
      id,
      epoch,
      status: "failed",
      output: null,
      error: JSON.stringify({ code, message }),
      last_seq: Math.max(lastSeq, run.lastSeq),
    });
    outbox.emit(set, leftWaits(run));
    if (run.signed) await execution.receipts.ended(set, run, { status: "failed", error: { code } });
    if (run.parentRunId || run.concurrencyKey) outbox.emit(set, runEnded(run));
    return set;
  }
}

const handedBack = ({ tenantId, id, epoch }: ClaimedRun, delayMs: number): WriteSet =>
  new WriteSet().add(releaseRun, { tenant_id: tenantId, id, epoch, delay_ms: delayMs });
