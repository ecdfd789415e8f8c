/**
 * The runs that this process holds and the slots that they take. Owns: reading a claimed run back, driving it,
 * what becomes of one that cannot go on. What is held is only a cache of what the database says.
 */
import type { CompiledFlow, Flows } from "#orchestrate/flows";
import { type Database, isOutage, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { isOarsError } from "#platform/kernel";
import { type ExecutionDeps, type ExecutionEnd, leftWaits, RunExecution } from "./execution.ts";
import { type ClaimedRun, readJournal, readLastSeq, readWaits } from "./store.ts";
import { finishRun, releaseRun } from "./writes.ts";

export interface InHandDeps {
  readonly db: Database;
  readonly execution: ExecutionDeps;
  readonly flows: Pick<Flows, "compiled">;
  readonly outbox: Pick<Outbox, "emit">;
  /** Runs in hand at once. */
  readonly maxConcurrency: number;
  readonly onRun: (flow: string, status: ExecutionEnd, ms: number) => void;
  readonly onQueueWait: (kind: string, ms: number) => void;
  /** A slot is free again. */
  readonly onFree: () => void;
  readonly onError: (error: unknown, what: string) => void;
}

/** How long calls that are broken off may take to come back. */
const surrenderMs = 2000;

export class RunsInHand {
  readonly #deps: InHandDeps;
  readonly #executions = new Map<string, RunExecution>();
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
      const flow = await flows.compiled(run.tenantId, run.flowHash);
      const [journal, waits] = await db.read(run.tenantId, (tx) =>
        Promise.all([readJournal(tx, run.tenantId, run.id), readWaits(tx, run.tenantId, run.id)]),
      );
      taken = new RunExecution(execution, run, flow, journal, waits);
      onQueueWait(flow.steps[0]?.kind ?? "none", run.waitedMs);
    } catch (error) {
      await this.#giveUp(run, error);
      return;
    } finally {
      this.#reserved--;
    }
    await this.#drive(taken);
  }

  /** Drives a run that has just begun, in a reserved slot. */
  begin(run: ClaimedRun, flow: CompiledFlow): void {
    this.#reserved--;
    void this.#drive(new RunExecution(this.#deps.execution, run, flow, [], []));
  }

  async #drive(execution: RunExecution): Promise<void> {
    const { run } = execution;
    this.#executions.set(run.id, execution);
    let end: ExecutionEnd = "lost";
    try {
      end = await execution.drive();
    } catch (error) {
      execution.surrender();
      end = await this.#giveUp(run, error);
    } finally {
      this.#executions.delete(run.id);
    }
    if (end !== "lost" && end !== "released")
      this.#deps.onRun(run.flowName, end, Date.now() - run.startedAt.getTime());
    this.#deps.onFree();
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
        const set = outage ? handedBack(run) : await this.#failed(run, error);
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
    const { db, outbox } = this.#deps;
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
    return set;
  }
}

const handedBack = ({ tenantId, id, epoch }: ClaimedRun): WriteSet =>
  new WriteSet().add(releaseRun, { tenant_id: tenantId, id, epoch, delay_ms: 1_000 });
