/**
 * What to claim. Owns: which tenants have work, whose turn it is, which of them wait for room under a cap. Does not
 * own: slots, and when to claim (claim-loop.ts).
 *
 * F1, F2 in fair-shares.ts.
 * F3 priority counts within a tenant only.
 * F4 no more runs run than a cap allows: of all tenants together, of a tenant, of a flow of a tenant. Claimers that
 *    count under the same cap take turns by an advisory lock, and count after they have it.
 * F5 without caps a claim is one statement, and nobody waits for anybody.
 */
import type { Database } from "#platform/db";
import {
  type Count,
  claimCapped,
  claimOpen,
  countAllRunning,
  countRunning,
  findReady,
  lockCaps,
  type Plan,
  type ReadyTenant,
} from "./claim-store.ts";
import { FairShares } from "./fair-shares.ts";
import type { ClaimedRun } from "./store.ts";

export interface ClaimerDeps {
  readonly db: Database;
  readonly workerId: string;
  /** Runs of all tenants that may run at once, all processes together. */
  readonly maxRunning: number | null;
  /** Breaks ties between tenants. */
  readonly random?: () => number;
}

/** Without room under a cap it looks again after so long, twice as long each time, unless it hears that a run left. */
const firstRestMs = 100;
const longestRestMs = 2000;
/** A look is used for at least so long, and for twenty times what it took. */
const shortestViewMs = 50;
const longestViewMs = 1000;

interface Rest {
  readonly until: number;
  readonly ms: number;
}

interface Claimed {
  readonly runs: readonly ClaimedRun[];
  readonly asked: Plan;
  /** The cap over all tenants is reached. */
  readonly full: boolean;
}

export class Claimer {
  readonly #deps: ClaimerDeps;
  readonly #shares: FairShares;
  #ready = new Map<string, ReadyTenant>();
  readonly #resting = new Map<string, Rest>();
  #full: Rest | null = null;
  #stale = true;
  #viewUntil = 0;
  /** Tenants that were named to have work, of whose caps nothing is known yet. */
  readonly #assumed = new Set<string>();
  /** Tenants that were named since the claim under way began: it may have been before their runs. */
  readonly #named = new Set<string>();

  constructor(deps: ClaimerDeps) {
    this.#deps = deps;
    this.#shares = new FairShares(deps.random);
  }

  /** There are runs that it would take at once, or it has to look for them. */
  get more(): boolean {
    return (this.#ready.size > 0 || this.#stale) && this.#full === null;
  }

  /** In how many milliseconds what waits for room is worth a look; null where nothing does. */
  get nextLookMs(): number | null {
    const untils = [...this.#resting.values(), ...(this.#full ? [this.#full] : [])].map((r) => r.until);
    return untils.length === 0 ? null : Math.max(0, Math.min(...untils) - performance.now());
  }

  /**
   * Runs were queued: of this tenant, and of no flow with a cap; or of whomever. Who is named is tried without a look,
   * which with thousands of tenants takes longer than the claim.
   */
  news(tenantId?: string): void {
    if (tenantId === undefined || this.#resting.delete(tenantId)) {
      this.#stale = true;
      return;
    }
    this.#named.add(tenantId);
    if (!this.#ready.has(tenantId)) {
      this.#ready.set(tenantId, { tenantId, weight: 1, maxRunning: null, cappedFlows: [] });
      this.#assumed.add(tenantId);
    }
  }

  /** A run of this tenant runs no longer. True when others have waited for that. */
  left(tenantId: string): boolean {
    const full = this.#full !== null;
    this.#full = null;
    const rested = this.#resting.delete(tenantId);
    if (rested) this.#stale = true;
    return full || rested;
  }

  /** Takes up to `limit` runs. */
  async claim(limit: number): Promise<readonly ClaimedRun[]> {
    const now = performance.now();
    if (this.#full !== null && this.#full.until > now) return [];
    if (this.#mustLook(now)) await this.#look();
    this.#named.clear();
    const picks = this.#shares.plan(this.#ready.values(), limit);
    if (picks.length === 0) return [];
    const counted = this.#deps.maxRunning !== null || picks.some((id) => this.#isCapped(id));
    const claimed = await (counted ? this.#claimInTurn(picks) : this.#claimAtOnce(picks));
    this.#settle(claimed);
    return claimed.runs;
  }

  #mustLook(now: number): boolean {
    if (this.#stale || this.#ready.size === 0) return true;
    const past = now - this.#viewUntil;
    return past >= longestViewMs || (past >= 0 && this.#ready.size > this.#assumed.size);
  }

  async #look(): Promise<void> {
    this.#stale = false; // what comes meanwhile may not be in the answer
    this.#assumed.clear();
    const started = performance.now();
    const found = await findReady(this.#deps.db);
    for (const tenantId of this.#assumed) if (found.has(tenantId)) this.#assumed.delete(tenantId);
    const now = performance.now();
    const viewMs = Math.min(longestViewMs, Math.max(shortestViewMs, 20 * (now - started)));
    this.#viewUntil = now + viewMs;
    if (found.size === 0) {
      this.#shares.reset();
      this.#resting.clear();
    }
    for (const [tenantId, { until }] of this.#resting) if (until > now) found.delete(tenantId);
    for (const id of this.#assumed)
      found.set(id, { tenantId: id, weight: 1, maxRunning: null, cappedFlows: [] });
    this.#ready = found;
  }

  async #claimAtOnce(picks: readonly string[]): Promise<Claimed> {
    const asked = countsOf(picks);
    return { runs: await claimOpen(this.#deps.db, this.#deps.workerId, asked), asked, full: false };
  }

  #claimInTurn(picks: readonly string[]): Promise<Claimed> {
    const { db, workerId, maxRunning } = this.#deps;
    const tenants = [...new Set(picks)].filter((id) => this.#isCapped(id));
    const flows = tenants.flatMap((id) =>
      (this.#ready.get(id)?.cappedFlows ?? []).map((f) => [id, f] as const),
    );
    const keys = tenants.map(lockKeyOf);
    if (maxRunning !== null) keys.push(globalKey);
    return db.system.tx(async (tx) => {
      const [, counts, all] = await Promise.all([
        lockCaps(tx, keys),
        countRunning(tx, tenants, flows), // sent behind the lock, so that it sees what the others have taken
        maxRunning === null ? 0 : countAllRunning(tx, maxRunning),
      ]);
      const room = maxRunning === null ? picks.length : Math.max(0, maxRunning - all);
      const asked = countsOf(picks.slice(0, room));
      const rooms = new Map(
        counts.filter(isCapOfTenant).map((c) => [c.tenantId, Math.max(0, c.max - c.running)]),
      );
      const plan = new Map([...asked].map(([id, n]) => [id, Math.min(n, rooms.get(id) ?? n)] as const));
      const runs = room === 0 ? [] : await claimCapped(tx, workerId, plan, counts);
      return { runs, asked, full: room <= picks.length && maxRunning !== null };
    });
  }

  #settle({ runs, asked, full }: Claimed): void {
    const got = countsOf(runs.map((r) => r.tenantId));
    this.#shares.charge(
      [...got].map(([tenantId, n]) => [this.#ready.get(tenantId) ?? { tenantId, weight: 1 }, n] as const),
    );
    for (const [tenantId, wanted] of asked) {
      const n = got.get(tenantId) ?? 0;
      if (n > 0) this.#resting.delete(tenantId);
      if (n === wanted || this.#named.has(tenantId)) continue;
      if (this.#isCapped(tenantId)) this.#resting.set(tenantId, nextRest(this.#resting.get(tenantId)));
      if (this.#assumed.delete(tenantId) && n === 0) this.#stale = true; // it may have a cap
      this.#ready.delete(tenantId);
    }
    this.#full = full ? nextRest(runs.length === 0 ? this.#full : null) : null;
  }

  #isCapped(tenantId: string): boolean {
    const tenant = this.#ready.get(tenantId);
    return tenant !== undefined && (tenant.maxRunning !== null || tenant.cappedFlows.length > 0);
  }
}

const nextRest = (last: Rest | null | undefined): Rest => {
  const ms = last ? Math.min(longestRestMs, 2 * last.ms) : firstRestMs;
  return { until: performance.now() + ms, ms };
};

const countsOf = (ids: readonly string[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
};

const isCapOfTenant = (c: Count): c is Count & { readonly max: number } => c.flow === null && c.max !== null;

const globalKey = 0;
/** 31 bits of the tenant's id; two tenants with the same ones take turns without need. */
const lockKeyOf = (tenantId: string): number => Number.parseInt(tenantId.slice(-8), 16) >>> 1;
