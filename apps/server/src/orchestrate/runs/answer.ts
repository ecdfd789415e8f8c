/**
 * Starts that are answered with the run's end. The run is as durable as any other: an end is told only after it is
 * durable, and whoever stops waiting changes nothing of the run.
 *
 * A run that ends in this process tells its end without a read. Of all others, as those that another process drives
 * or that an operator ended, one statement asks for the ends, however many wait: first after `lookMs`, then less often.
 */
import type { Engine, RunEnd } from "#orchestrate/engine";
import { isEnded, loadRow } from "#orchestrate/engine";
import type { Caller } from "#platform/access";
import type { Database } from "#platform/db";
import { newId, OarsError } from "#platform/kernel";
import { findEnds } from "./answer-store.ts";
import type { RunsDeps } from "./deps.ts";
import { type RunView, readRun, toView } from "./read.ts";
import { beginTriggered, type RunStart, startRun, type TriggeredStart } from "./start.ts";

export interface AnswerOptions {
  readonly withinMs: number;
  /** Whoever asked has gone away. */
  readonly gone?: AbortSignal | undefined;
}

/** `end` is null when the run has not ended in time, or when nobody asked for it. */
export interface TriggeredAnswer {
  readonly runId: string;
  /** The start key had been used before: this is the first run under it. */
  readonly duplicate: boolean;
  readonly end: RunEnd | null;
}

export interface AnswersDeps {
  readonly db: Pick<Database, "system">;
  readonly blobs: RunsDeps["blobs"];
  readonly engine: Pick<Engine, "expectEnd" | "holds">;
  /** How many may wait at once. */
  readonly most: number;
}

/** Someone who waits for the end of one run. */
export interface Waiter {
  /** The run's end, or null when it did not come in time. */
  readonly end: Promise<RunEnd | null>;
  /** Stops waiting. Must be called in the end, whatever came of it. */
  release(): void;
}

interface Waiting {
  readonly tenantId: string;
  readonly runId: string;
  readonly until: number;
  readonly since: number;
  lookAt: number;
  readonly settle: (end: RunEnd | null) => void;
}

const lookMs = 25;
const slowestMs = 500;

export class Answers {
  readonly #deps: AnswersDeps;
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #closed = false;

  constructor(deps: AnswersDeps) {
    this.#deps = deps;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for the end of a run; call it before the run is accepted, for a short run ends with its first commit.
   * Throws SERVER_BUSY when too many wait.
   */
  expect(tenantId: string, runId: string, { withinMs, gone }: AnswerOptions): Waiter {
    if (this.#waiting.size >= this.#deps.most) throw new OarsError("SERVER_BUSY", { seconds: 1 });
    const { promise, resolve } = Promise.withResolvers<RunEnd | null>();
    const here = this.#deps.engine.expectEnd(runId);
    const since = performance.now();
    const settle = (end: RunEnd | null): void => {
      if (!this.#waiting.delete(waiting)) return;
      here.release();
      gone?.removeEventListener("abort", leave);
      resolve(end);
    };
    const leave = (): void => settle(null);
    const waiting = { tenantId, runId, since, until: since + withinMs, lookAt: since + lookMs, settle };
    this.#waiting.add(waiting);
    if (this.#closed || gone?.aborted) leave();
    gone?.addEventListener("abort", leave, { once: true });
    void here.end.then(settle);
    this.#timer ??= setTimeout(() => this.#tick(), lookMs);
    return { end: promise, release: leave };
  }

  /** Nobody waits any longer, for this process stops. */
  close(): void {
    this.#closed = true;
    for (const { settle } of this.#waiting) settle(null);
    clearTimeout(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const due: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (waiting.until <= now) waiting.settle(null);
      else if (waiting.lookAt <= now && !this.#deps.engine.holds(waiting.runId)) due.push(waiting);
    }
    if (due.length > 0 && !this.#looking) void this.#look(due);
    this.#timer = this.#waiting.size > 0 ? setTimeout(() => this.#tick(), lookMs) : undefined;
  }

  /** With outputs that are kept beside their rows. */
  async #findEnds(due: readonly Waiting[]): Promise<(RunEnd & { readonly id: string })[]> {
    const { db, blobs } = this.#deps;
    const tenants = new Map(due.map((w) => [w.runId, w.tenantId]));
    const ends = await findEnds(db, due);
    return Promise.all(
      ends.map(async (end) => {
        const owner = { tenantId: tenants.get(end.id) ?? "", runId: end.id };
        return { ...end, output: await loadRow(blobs, owner, end.output) };
      }),
    );
  }

  async #look(due: readonly Waiting[]): Promise<void> {
    this.#looking = true;
    const ends = await this.#findEnds(due).catch(() => []); // out of reach: the next look may find it
    this.#looking = false;
    const byRun = new Map(ends.map(({ id, ...end }) => [id, end]));
    const now = performance.now();
    for (const waiting of due) {
      const end = byRun.get(waiting.runId);
      if (end) waiting.settle(end);
      waiting.lookAt = now + Math.min(slowestMs, Math.max(lookMs, (now - waiting.since) / 4));
    }
  }
}

type AnswerDeps = RunsDeps & { readonly answers: Answers };

/** Starts a run, or finds the first one under its start key, and waits for its end. */
export async function answerTriggered(
  deps: AnswerDeps,
  start: TriggeredStart,
  options: AnswerOptions,
): Promise<TriggeredAnswer> {
  const { tenantId } = start;
  const id = newId();
  const first = await waitingFor(deps, tenantId, id, options, async (own) => {
    const found = await beginTriggered(deps, start, id);
    return found ?? { runId: id, duplicate: false, end: await own.end };
  });
  if ("end" in first) return first;
  const { id: runId, status, output, error } = first;
  if (isEnded(status)) {
    const whole = await loadRow(deps.blobs, { tenantId, runId }, output);
    return { runId, duplicate: true, end: { status, output: whole, error } };
  }
  const end = await waitingFor(deps, tenantId, runId, options, (its) => its.end);
  return { runId, duplicate: true, end };
}

/** The run as it has ended, or as it stands when its end does not come in time. Errors are those of `startRun`. */
export async function answerStart(
  deps: AnswerDeps,
  caller: Caller,
  start: RunStart,
  options: AnswerOptions,
): Promise<RunView> {
  const { tenantId } = caller;
  const id = newId();
  const ended = async (run: RunView, { end }: Waiter): Promise<RunView> =>
    (await end) === null ? run : toView((await readRun(deps, tenantId, run.id)).run);
  const run = await waitingFor(deps, tenantId, id, options, async (own) => {
    const started = await startRun(deps, caller, start, id);
    return started.id !== id || isEnded(started.status) ? started : ended(started, own);
  });
  if (run.id === id || isEnded(run.status)) return run;
  return waitingFor(deps, tenantId, run.id, options, (its) => ended(run, its));
}

async function waitingFor<T>(
  { answers }: AnswerDeps,
  tenantId: string,
  runId: string,
  options: AnswerOptions,
  work: (waiter: Waiter) => Promise<T>,
): Promise<T> {
  const waiter = answers.expect(tenantId, runId, options);
  try {
    return await work(waiter);
  } finally {
    waiter.release();
  }
}
