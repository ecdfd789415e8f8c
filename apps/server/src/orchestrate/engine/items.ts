/**
 * The items of one `forEach` step in memory: which may begin, which are under way, what they gave. Items count from
 * 1, as in the journal, where 0 is the step itself.
 *
 * R7 outputs stand in the order of the items, whatever the order in which they ended; an item runs in one attempt
 *    at a time, and never more of them at once than the step's `concurrency`, those that wait included.
 */
import { freshState, mergeEdits, type Operator, restart, type StepError, type StepState } from "./domain.ts";

export interface ItemValue {
  readonly item: unknown;
  readonly index: number;
  readonly key: string;
}

export const maxItems = 10_000;

export class Items {
  readonly #states = new Map<number, StepState>();
  readonly #open = new Set<number>();
  #values: readonly ItemValue[] | null = null;
  #queue: number[] = [];
  #at = 0;
  #ended = 0;
  #failed = false;
  /** Changes to the input of items that have not begun: an order is for the whole step. */
  #edits: StepState["edits"] = null;
  /** The end of the whole step is being written. */
  joining = false;

  state(iteration: number): StepState {
    const known = this.#states.get(iteration);
    if (known) return known;
    const state = { ...freshState(), edits: this.#edits };
    this.#states.set(iteration, state);
    return state;
  }

  get expanded(): boolean {
    return this.#values !== null;
  }

  /** Now it is known what the items are; those that the journal knows stay as they are. */
  expand(values: readonly ItemValue[]): void {
    this.#values = values;
    this.#sort();
  }

  /** Runs again what failed, or everything, on the order of a person. */
  restart(which: "failed" | "all", edits: Operator["edits"]): void {
    for (const state of this.#states.values())
      if (which === "all" || state.status === "failed") restart(state, edits);
    if (edits) this.#edits = mergeEdits(this.#edits, edits);
    this.joining = false;
    if (this.#values) this.#sort();
  }

  #sort(): void {
    this.#queue = [];
    this.#at = 0;
    this.#ended = 0;
    this.#failed = false;
    this.#open.clear();
    for (let i = 1; i <= (this.#values?.length ?? 0); i++) {
      const status = this.#states.get(i)?.status ?? "pending";
      if (status === "pending") this.#queue.push(i);
      else if (status === "running" || status === "waiting") this.#open.add(i);
      else this.#count(status);
    }
  }

  #count(status: StepState["status"]): void {
    this.#ended++;
    if (status === "failed") this.#failed = true;
  }

  /** The next item that may begin, or 0. */
  next(concurrency: number, onItemError: "fail" | "continue"): number {
    if (this.#open.size >= concurrency || (this.#failed && onItemError === "fail")) return 0;
    const iteration = this.#queue[this.#at];
    if (iteration === undefined) return 0;
    this.#at++;
    this.#open.add(iteration);
    return iteration;
  }

  /** Items that wait for something which has come. */
  resumable(): number[] {
    return [...this.#open].filter((i) => {
      const state = this.#states.get(i);
      return state?.status === "waiting" && state.wait?.resolved === true;
    });
  }

  /** Of what the journal alone tells, before it is known what the items are, too. */
  get waiting(): boolean {
    for (const i of this.#values ? this.#open : this.#states.keys())
      if (this.#states.get(i)?.status === "waiting") return true;
    return false;
  }

  value(iteration: number): ItemValue {
    const value = this.#values?.[iteration - 1];
    if (!value) throw new Error(`item ${iteration} is not among the items`);
    return value;
  }

  /** The item has come to its end. */
  end(iteration: number): void {
    if (this.#open.delete(iteration)) this.#count(this.state(iteration).status);
  }

  /** Nothing is under way and nothing may begin any more. */
  isOver(onItemError: "fail" | "continue"): boolean {
    if (this.#values === null || this.#open.size > 0) return false;
    return this.#ended === this.#values.length || (this.#failed && onItemError === "fail");
  }

  /** True when this item is the last that is not over. */
  isLast(iteration: number): boolean {
    return this.#open.size === 1 && this.#open.has(iteration) && this.#at >= this.#queue.length;
  }

  /** In the order of the items; null for one that gave nothing. After a replay the journal's items are all there are. */
  outputs(): unknown[] {
    const count = this.#values?.length ?? Math.max(0, ...this.#states.keys());
    return Array.from({ length: count }, (_, i) => {
      const state = this.#states.get(i + 1);
      return state && (state.status === "completed" || state.given) ? state.output : null;
    });
  }

  errors(): StepError[] {
    const failed = [...this.#states].filter(([, s]) => s.status === "failed" && s.error !== null);
    return failed.sort(([a], [b]) => a - b).map(([, s]) => s.error as StepError); // filtered
  }

  /** Every state that the journal or this process knows, by item. */
  get states(): ReadonlyMap<number, StepState> {
    return this.#states;
  }
}
