/**
 * Background jobs of the whole installation. Owns: who runs a job now, and when it is due again. Does not own: what
 * a job does, and work that each process does for itself (ticker.ts).
 * J5 a job runs in one process at a time, chosen by a claim on the database clock; whoever claims it when it is due
 *    runs it, so no process is special.
 * J6 the job of a process that died is due at once. A job whose process was declared dead and came back may run
 *    beside its successor: jobs must be harmless when they overlap, and the old one's end changes nothing.
 * J7 a job that fails is reported, shown with its error, and due again after its interval.
 * Between two due times a process sends nothing, but for one look each `longestMs`.
 */
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import { isOarsError, OarsError } from "#platform/kernel";
import {
  type Claim,
  claimDue,
  claimOne,
  endJob,
  forgetOld,
  freeJobsOf,
  type JobRow,
  listJobs,
  registerJobs,
} from "./job-store.ts";

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  /** Says in how many milliseconds it is wanted again, where that is sooner than its interval; else null. */
  readonly work: () => Promise<number | null>;
}

export interface Scheduler {
  start(): Promise<void>;
  /** Begins no further job and waits for those under way. */
  stop(): Promise<void>;
  /** Every job of the installation. Needs `system:read`. */
  list(caller: Caller): Promise<JobRow[]>;
  /**
   * Runs a job now, in this process. Needs `platform:operate`. Errors: JOB_NOT_FOUND, JOB_RUNNING.
   * `ended` resolves when it has run, whether it failed or not.
   */
  runNow(caller: Caller, name: string): Promise<{ readonly ended: Promise<void> }>;
  /** Death hook: jobs of the dead process are due at once. */
  onDeath(tx: Tx, workerId: string): Promise<void>;
}

export interface SchedulerDeps {
  readonly db: Database;
  /** Id of this process among the workers. */
  readonly workerId: string;
  readonly jobs: readonly Job[];
  readonly onError: (error: unknown, job: string) => void;
  readonly onRun?: (job: string, failed: boolean, ms: number) => void;
}

const longestMs = 30_000;
const afterErrorMs = 5_000;

export function createScheduler(deps: SchedulerDeps): Scheduler {
  const { db, workerId } = deps;
  const forgetting: Job = { name: "forgotten-workers", everyMs: 86_400_000, work: () => forgetOld(db) };
  const jobs: ReadonlyMap<string, Job> = new Map([...deps.jobs, forgetting].map((job) => [job.name, job]));
  const running = new Map<string, Promise<void>>();
  let open = false;
  let looking: Promise<void> | undefined;
  /** A time came while the last look was on its way. */
  let missed = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;

  const arm = (ms: number): void => {
    const wait = Math.max(0, Math.ceil(Math.min(ms, longestMs)));
    const at = performance.now() + wait;
    if (!open || at >= timerAt) return;
    timerAt = at;
    clearTimeout(timer);
    timer = setTimeout(look, wait);
  };
  const look = (): void => {
    timerAt = Number.POSITIVE_INFINITY;
    if (looking !== undefined) {
      missed = true;
      return;
    }
    missed = false;
    looking = claimDue(db, workerId, [...jobs.keys()], [...running.keys()])
      .then(({ claims, nextMs }) => {
        for (const claim of claims) if (!running.has(claim.name)) void begin(claim);
        return nextMs ?? longestMs;
      })
      .catch((error) => {
        deps.onError(error, "scheduler");
        return afterErrorMs;
      })
      .then((ms) => {
        looking = undefined;
        arm(missed ? 0 : ms);
      });
  };
  const begin = (claim: Claim): Promise<void> => {
    const job = jobs.get(claim.name) as Job; // both callers have looked
    const work = execute(job, claim).finally(() => running.delete(job.name));
    running.set(job.name, work);
    return work;
  };
  const execute = async (job: Job, claim: Claim): Promise<void> => {
    const started = performance.now();
    let failure: unknown;
    let againInMs: number | null = null;
    try {
      againInMs = await job.work();
    } catch (error) {
      failure = error ?? new Error("unknown");
      deps.onError(error, job.name);
    }
    const ms = performance.now() - started;
    deps.onRun?.(job.name, failure !== undefined, ms);
    const error = failure === undefined ? null : told(failure);
    try {
      const next = await endJob(db, workerId, { ...claim, ms, error, againInMs });
      arm(next ?? longestMs);
    } catch (cause) {
      deps.onError(cause, `end of ${job.name}`); // it is still ours: the next look takes it up again
      arm(afterErrorMs);
    }
  };

  return {
    start: async () => {
      await registerJobs(db, [...jobs.values()]);
      open = true;
      arm(0);
    },
    stop: async () => {
      open = false;
      clearTimeout(timer);
      await looking;
      await Promise.all(running.values());
    },
    list: async (caller) => {
      requirePermission(caller, "system:read");
      return listJobs(db);
    },
    runNow: async (caller, name) => {
      requirePermission(caller, "platform:operate");
      if (!jobs.has(name)) throw new OarsError("JOB_NOT_FOUND", { job: name });
      if (running.has(name)) throw new OarsError("JOB_RUNNING", { job: name, seconds: 5 });
      const asked = Promise.resolve();
      running.set(name, asked); // meanwhile no look takes it for lost
      const claim = await claimOne(db, workerId, name).finally(() => {
        if (running.get(name) === asked) running.delete(name);
      });
      if (!claim || running.has(name)) throw new OarsError("JOB_RUNNING", { job: name, seconds: 5 });
      return { ended: begin(claim) };
    },
    onDeath: async (tx, dead) => {
      const freed = await freeJobsOf(tx, dead);
      if (freed.length > 0) tx.onCommit(() => arm(0));
    },
  };
}

/** What is shown of a failure: the first line, without what a statement or a stack would add. */
function told(error: unknown): string {
  if (isOarsError(error)) return `${error.code}: ${error.message}`;
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n")[0] ?? "").slice(0, 300);
}
