/** When to claim: up to the free slots, at once while there is more, then at growing intervals, and when woken. */
import type { Claimer } from "./claim.ts";
import type { RunsInHand } from "./in-hand.ts";
import type { ClaimedRun } from "./store.ts";

export interface ClaimLoopDeps {
  readonly claimer: Pick<Claimer, "claim" | "news" | "left" | "more" | "nextLookMs">;
  readonly inHand: Pick<RunsInHand, "free" | "hasFew" | "reserve" | "spare" | "take" | "unreserve">;
  /** This process should take on nothing more for now. */
  readonly strained: () => boolean;
  /** Whether anything is queued: asked when nothing said so for a while. */
  readonly look: () => Promise<boolean>;
  /** Runs were queued here that this process does not take now: others may. */
  readonly onLeft: (tenantId: string | undefined) => void;
  /** Milliseconds that a claim took. */
  readonly onClaim: (ms: number) => void;
  readonly onError: (error: unknown) => void;
}

const busyMs = 20;
const idleMs = 2000;
const strainedMs = 100;
const batchSize = 256;

export class ClaimLoop {
  readonly #deps: ClaimLoopDeps;
  #running = false;
  #backlog = false;
  #again = false;
  /** Somebody here has queued runs, and counts on this process to take them or to tell others. */
  #owed = false;
  #pauseMs = busyMs;
  #claiming: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: ClaimLoopDeps) {
    this.#deps = deps;
  }

  /** A run of this tenant that begins now takes a slot that nobody else waits for, or one that is kept for the likes of it. */
  openTo(tenantId: string): boolean {
    const { inHand, strained } = this.#deps;
    if (!this.#running || strained() || inHand.free <= 0) return false;
    return (!this.#backlog && this.#room > 0) || inHand.hasFew(tenantId);
  }

  get #room(): number {
    const { inHand, strained } = this.#deps;
    return strained() ? 0 : inHand.free - inHand.spare;
  }

  start(): void {
    this.#running = true;
    this.heard(undefined);
  }

  /** Once it resolves nothing more is claimed. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    await this.#claiming;
  }

  /** Runs were queued by this process: of this tenant, and of no flow with a cap; or of whomever. */
  wake(tenantId: string | undefined): void {
    if (this.#running && this.#room > 0) this.#owed = true;
    else this.#deps.onLeft(tenantId);
    this.heard(tenantId);
  }

  /** The same, of another process. */
  heard(tenantId: string | undefined): void {
    this.#deps.claimer.news(tenantId);
    this.#go();
  }

  /** A run of this tenant has left its slot, and does not run any more. */
  freed(tenantId: string): void {
    const waited = this.#deps.claimer.left(tenantId);
    if (waited || this.#backlog) this.#go();
  }

  #go(): void {
    this.#again = true;
    this.#begin(() => this.#claimAll());
  }

  #begin(work: () => Promise<void>): void {
    if (!this.#running || this.#claiming !== undefined) return;
    clearTimeout(this.#timer);
    this.#claiming = work()
      .catch(this.#deps.onError)
      .finally(() => {
        this.#claiming = undefined;
        this.#schedule();
      });
  }

  #schedule(): void {
    if (!this.#running) return;
    const { claimer, strained } = this.#deps;
    clearTimeout(this.#timer);
    const restMs = claimer.nextLookMs;
    if (this.#again || strained())
      this.#timer = setTimeout(() => this.#go(), strained() ? strainedMs : busyMs);
    else if (restMs !== null && restMs < this.#pauseMs) this.#timer = setTimeout(() => this.#go(), restMs);
    else this.#timer = setTimeout(() => this.#begin(() => this.#look()), this.#pauseMs);
  }

  async #look(): Promise<void> {
    this.#pauseMs = Math.min(idleMs, 2 * this.#pauseMs);
    if (!(await this.#deps.look())) return;
    this.#deps.claimer.news();
    await this.#claimAll();
  }

  async #claimAll(): Promise<void> {
    const { claimer, inHand } = this.#deps;
    do {
      this.#again = false;
      if (!this.#running) return;
      const wanted = Math.min(this.#room, batchSize);
      if (wanted <= 0) {
        this.#backlog = true; // whoever ends next looks
        if (this.#owed) this.#deps.onLeft(undefined);
        this.#owed = false;
        return;
      }
      const runs = await this.#claim(wanted);
      for (const run of runs) void inHand.take(run);
      if (runs.length > 0) this.#pauseMs = busyMs;
      this.#backlog = claimer.more;
      if (claimer.more) this.#again = true;
      else if (!this.#again) this.#owed = false;
    } while (this.#again);
  }

  async #claim(wanted: number): Promise<readonly ClaimedRun[]> {
    const { claimer, inHand, onClaim } = this.#deps;
    const started = performance.now();
    inHand.reserve(wanted);
    let runs: readonly ClaimedRun[] = [];
    try {
      runs = await claimer.claim(wanted);
    } finally {
      inHand.unreserve(wanted - runs.length);
    }
    onClaim(performance.now() - started);
    return runs;
  }
}
