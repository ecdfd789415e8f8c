/**
 * Whose turn it is: start-time fair queueing over tenants. Each tenant has a virtual time that grows by runs taken
 * over weight; the least goes first.
 * F1 tenants that always have work get runs in proportion to their weights, whatever each has queued.
 * F2 a tenant that had no work begins at the present: its idle time is no credit, what it had before no debt.
 * Each claimer keeps its own: several that are fair one by one are fair together.
 */
export interface Contender {
  readonly tenantId: string;
  readonly weight: number;
}

interface Candidate {
  readonly tenantId: string;
  readonly step: number;
  readonly tie: number;
  tag: number;
}

export class FairShares {
  readonly #random: () => number;
  /** Virtual times of those that are ahead of `#now`; all others stand at it. */
  readonly #ahead = new Map<string, number>();
  #now = 0;

  /** `random` breaks ties, so that claimers that look at the same moment do not all reach for the same tenants. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The tenants of the next `limit` runs, in their order. Changes nothing: `charge` what was taken. */
  plan(contenders: Iterable<Contender>, limit: number): string[] {
    const heap: Candidate[] = [];
    for (const { tenantId, weight } of contenders) {
      const tag = this.#ahead.get(tenantId) ?? this.#now;
      heap.push({ tenantId, step: 1 / weight, tag, tie: this.#random() });
    }
    if (heap.length === 0) return [];
    for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(heap, i);
    return Array.from({ length: limit }, () => {
      const first = heap[0] as Candidate; // the heap keeps its size
      first.tag += first.step;
      sink(heap, 0);
      return first.tenantId;
    });
  }

  /** What a plan came to: how many runs of each were taken. */
  charge(taken: Iterable<readonly [Contender, number]>): void {
    let reached = this.#now;
    for (const [{ tenantId, weight }, count] of taken) {
      if (count === 0) continue;
      const start = this.#ahead.get(tenantId) ?? this.#now;
      reached = Math.max(reached, start + (count - 1) / weight);
      this.#ahead.set(tenantId, start + count / weight);
    }
    this.#now = reached;
    for (const [tenantId, tag] of this.#ahead) if (tag <= reached) this.#ahead.delete(tenantId);
  }

  /** Nobody has work: all begin anew. */
  reset(): void {
    this.#ahead.clear();
    this.#now = 0;
  }
}

const before = (a: Candidate, b: Candidate): boolean => a.tag < b.tag || (a.tag === b.tag && a.tie < b.tie);

function sink(heap: Candidate[], from: number): void {
  const moved = heap[from] as Candidate; // callers stay within the heap
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    const left = heap[child];
    if (!left) break;
    const right = heap[child + 1];
    if (right && before(right, left)) child++;
    const least = heap[child] as Candidate; // left is there, and right where it is chosen
    if (!before(least, moved)) break;
    heap[at] = least;
    at = child;
  }
  heap[at] = moved;
}
