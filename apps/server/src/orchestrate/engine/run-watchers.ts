/**
 * Who follows a run, here and in other processes. A process that follows runs of others says so of each, and again
 * from time to time; whoever writes to such a run tells it. What is missed is found by a look.
 */
export interface RunWatchersDeps {
  /** Says to others that this process follows the run. */
  readonly sayWatched: (runId: string) => void;
  /** Says to others that the run has news. */
  readonly sayNews: (runId: string) => void;
  readonly now?: () => number;
}

/** How long a word of another process counts, and how often it is renewed. */
const heardMs = 60_000;
const renewMs = 20_000;
const mostHeard = 10_000;

export class RunWatchers {
  readonly #deps: RunWatchersDeps;
  readonly #now: () => number;
  readonly #here = new Map<string, Set<() => void>>();
  /** Runs that others follow, each with the end of that. */
  readonly #elsewhere = new Map<string, number>();
  #renewal: NodeJS.Timeout | undefined;

  constructor(deps: RunWatchersDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? (() => performance.now());
  }

  /** Calls back when the run has news; returns how to stop that. */
  watch(runId: string, listener: () => void): () => void {
    const set = this.#here.get(runId) ?? new Set();
    this.#here.set(runId, set.add(listener));
    if (set.size === 1) this.#deps.sayWatched(runId);
    this.#renewal ??= setInterval(() => this.#renew(), renewMs);
    return () => {
      set.delete(listener);
      if (set.size === 0 && this.#here.get(runId) === set) this.#here.delete(runId);
      if (this.#here.size === 0) this.close();
    };
  }

  /** This process wrote to the run. */
  tell(runId: string): void {
    this.heardNews(runId);
    const until = this.#elsewhere.get(runId);
    if (until === undefined) return;
    if (until > this.#now()) this.#deps.sayNews(runId);
    else this.#elsewhere.delete(runId);
  }

  /** Another process wrote to it; to whichever, where it is "". */
  heardNews(runId: string): void {
    const told = runId === "" ? [...this.#here.values()] : [this.#here.get(runId) ?? []];
    for (const listeners of told) for (const listener of listeners) listener();
  }

  /** Another process follows it. `holds`: there may be news already that it has not heard of. */
  heardWatched(runId: string, holds: boolean): void {
    if (runId === "") return; // it will be said again
    if (this.#elsewhere.size >= mostHeard) this.#forget();
    this.#elsewhere.set(runId, this.#now() + heardMs);
    if (holds) this.#deps.sayNews(runId);
  }

  close(): void {
    clearInterval(this.#renewal);
    this.#renewal = undefined;
  }

  #renew(): void {
    for (const runId of this.#here.keys()) this.#deps.sayWatched(runId);
  }

  /** Drops what has passed, and the oldest where that is not enough. */
  #forget(): void {
    const now = this.#now();
    for (const [runId, until] of this.#elsewhere) if (until <= now) this.#elsewhere.delete(runId);
    for (const runId of this.#elsewhere.keys()) {
      if (this.#elsewhere.size < mostHeard) return;
      this.#elsewhere.delete(runId);
    }
  }
}
