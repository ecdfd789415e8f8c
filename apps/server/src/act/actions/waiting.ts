/**
 * Requests that wait for the outcome of an action. They hold neither a transaction nor a connection of the database.
 * An outcome that is recorded in this process is told without a read. Of all others one statement asks, however many
 * wait: first after `lookMs`, then less often. Whoever stops waiting changes nothing of the action.
 */
import { type Database, sql } from "#platform/db";
import { OarsError } from "#platform/kernel";

export interface WaitOptions {
  readonly withinMs: number;
  /** Whoever asked has gone away. */
  readonly gone?: AbortSignal | undefined;
}

interface Waiting {
  readonly tenantId: string;
  readonly actionId: string;
  readonly since: number;
  readonly until: number;
  lookAt: number;
  readonly settle: () => void;
}

const lookMs = 50;
const slowestMs = 1_000;

export class OutcomeWaits {
  readonly #db: Pick<Database, "system">;
  readonly #most: number;
  readonly #waiting = new Map<string, Set<Waiting>>();
  #size = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #closed = false;

  constructor(db: Pick<Database, "system">, most: number) {
    this.#db = db;
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Throws SERVER_BUSY when nobody more can wait. */
  assertRoom(): void {
    if (this.#size >= this.#most) throw new OarsError("SERVER_BUSY", { seconds: 1 });
  }

  /** Resolves when the action may have an outcome, its time is over or whoever asked is gone: look at it then. */
  wait(tenantId: string, actionId: string, { withinMs, gone }: WaitOptions): Promise<void> {
    if (this.#closed || gone?.aborted || withinMs <= 0 || this.#size >= this.#most) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const since = performance.now();
    const all = this.#waiting.get(actionId) ?? new Set();
    const settle = (): void => {
      if (!all.delete(waiting)) return;
      this.#size -= 1;
      if (all.size === 0) this.#waiting.delete(actionId);
      gone?.removeEventListener("abort", settle);
      resolve();
    };
    const waiting = { tenantId, actionId, since, until: since + withinMs, lookAt: since + lookMs, settle };
    all.add(waiting);
    this.#size += 1;
    this.#waiting.set(actionId, all);
    gone?.addEventListener("abort", settle, { once: true });
    this.#timer ??= setTimeout(() => this.#tick(), lookMs);
    return promise;
  }

  /** The action has an outcome, durably. */
  told(actionId: string): void {
    for (const { settle } of this.#waiting.get(actionId) ?? []) settle();
  }

  /** Nobody waits any longer, for this process stops. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const actionId of [...this.#waiting.keys()]) this.told(actionId);
  }

  #tick(): void {
    const now = performance.now();
    const due: Waiting[] = [];
    for (const all of this.#waiting.values()) {
      for (const waiting of all) {
        if (waiting.until <= now) waiting.settle();
        else if (waiting.lookAt <= now) due.push(waiting);
      }
    }
    if (due.length > 0 && !this.#looking) void this.#look(due);
    this.#timer = this.#size > 0 && !this.#closed ? setTimeout(() => this.#tick(), lookMs) : undefined;
  }

  async #look(due: readonly Waiting[]): Promise<void> {
    this.#looking = true;
    const ended = await this.#findEnded(due).catch(() => []); // out of reach: the next look may find it
    this.#looking = false;
    for (const { id } of ended) this.told(id);
    const now = performance.now();
    for (const waiting of due) {
      waiting.lookAt = now + Math.min(slowestMs, Math.max(lookMs, (now - waiting.since) / 4));
    }
  }

  /** Across tenants: it serves all that wait in this process. */
  #findEnded(due: readonly Waiting[]): Promise<{ readonly id: string }[]> {
    return this.#db.system.query(sql`/* actions.findEnded */
      select a.id from unnest(${due.map((w) => w.tenantId)}::uuid[], ${due.map((w) => w.actionId)}::uuid[]) as w(tenant_id, action_id)
      join action a on a.tenant_id = w.tenant_id and a.id = w.action_id
      where a.state not in ('proposed', 'pending_approval', 'approved', 'executing')`);
  }
}
