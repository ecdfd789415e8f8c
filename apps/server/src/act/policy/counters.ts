/**
 * Sliding windows over a tenant's actions: calls, or sums of a fact. Owns the memory of them; the truth is the
 * rows of actions, from which every process starts.
 * [Q1] one's own actions count from the moment they are decided, before they are durable: of proposals that this
 *      process decides at once, none sees a window that the others have already filled;
 * [Q2] what other processes decided counts at most `freshMs` after it is durable, if it was durable within
 *      `lateMs`; so P processes may exceed a limit by what they decide within that time;
 * [Q3] a process that starts begins with all that the rows say: a crash forgets nothing that was durable;
 * [Q4] a window is cut into 60 parts and counts its oldest part in full: it never forgets early.
 * What counts is an action that was allowed or held when it was proposed, whatever became of it.
 */
import { type CounterSpec, counterWindows, type DecisionRequest, type Verb } from "./domain.ts";

/** One action as it counts. */
export interface CountedAction {
  readonly id: string;
  readonly principalId: string;
  readonly tool: string;
  readonly verb: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly at: number;
}

/** Actions that are alike, `calls` of them, in the part of time that begins at `at`. */
export interface CountedGroup extends Omit<CountedAction, "id" | "facts"> {
  readonly calls: number;
  readonly sums: Readonly<Record<string, number>>;
}

/** All times are milliseconds since 1970. */
export interface ActionHistory {
  /** Actions from `from` on and before `before`, together where they fall into the same `partMs`. */
  groups(
    tenantId: string,
    range: { readonly from: number; readonly before: number },
    partMs: number,
    sums: readonly string[],
  ): Promise<readonly CountedGroup[]>;
  since(tenantId: string, from: number): Promise<readonly CountedAction[]>;
}

export interface Counters {
  /** Brings the memory of a tenant up to date. Throws when the rows cannot be read. */
  ready(tenantId: string, specs: readonly CounterSpec[]): Promise<void>;
  /** Each counter without the action itself. To be called, like `count`, without waiting after `ready`. */
  values(q: DecisionRequest, specs: readonly CounterSpec[]): Record<string, number>;
  count(q: DecisionRequest): void;
  /** The action was not made after all. */
  withdraw(tenantId: string, actionId: string): void;
}

interface Tally {
  readonly specs: readonly CounterSpec[];
  readonly key: string;
  /** By counter and scope, then by part of its window. */
  readonly cells: Map<string, Map<number, number>>;
  readonly recent: Map<string, CountedAction>;
  readAt: number;
  sweptAt: number;
}

const parts = 60;

export function createCounters(deps: {
  readonly history: ActionHistory;
  readonly now: () => number;
  readonly freshMs?: number;
  readonly lateMs?: number;
  readonly tenants?: number;
}): Counters {
  const { freshMs = 1_000, lateMs = 5_000, tenants = 1_000 } = deps;
  const tallies = new Map<string, Tally>();
  const reading = new Map<string, Promise<void>>();

  const begin = async (tenantId: string, specs: readonly CounterSpec[], key: string): Promise<void> => {
    const now = deps.now();
    const cut = now - lateMs;
    const tally: Tally = { specs, key, cells: new Map(), recent: new Map(), readAt: now, sweptAt: now };
    for (const window of new Set(specs.map((spec) => spec.window))) {
      const ms = counterWindows[window];
      const of = specs.filter((spec) => spec.window === window);
      const sums = [...new Set(of.flatMap(({ sum }) => sum ?? []))];
      const range = { from: now - ms - ms / parts, before: cut };
      for (const group of await deps.history.groups(tenantId, range, ms / parts, sums))
        for (const spec of of)
          add(tally, spec, group, spec.sum === undefined ? group.calls : (group.sums[spec.sum] ?? 0));
    }
    for (const action of await deps.history.since(tenantId, cut)) note(tally, action);
    // what this process decided while the rows were read may not be among them
    for (const action of tallies.get(tenantId)?.recent.values() ?? []) note(tally, action);
    tallies.delete(tenantId);
    tallies.set(tenantId, tally);
    const [oldest] = tallies.keys();
    if (tallies.size > tenants && oldest !== undefined) tallies.delete(oldest);
  };
  const follow = async (tenantId: string, tally: Tally): Promise<void> => {
    const now = deps.now();
    for (const action of await deps.history.since(tenantId, tally.readAt - lateMs)) note(tally, action);
    tally.readAt = now;
    if (now - tally.sweptAt > 60_000) sweep(tally, now, lateMs);
  };

  return {
    async ready(tenantId, specs) {
      const key = JSON.stringify(specs);
      const tally = tallies.get(tenantId);
      if (tally?.key === key && Math.abs(deps.now() - tally.readAt) < freshMs) return;
      const name = `${tenantId} ${key}`;
      const flight =
        reading.get(name) ??
        (tally?.key === key ? follow(tenantId, tally) : begin(tenantId, specs, key)).finally(() =>
          reading.delete(name),
        );
      reading.set(name, flight);
      await flight;
    },
    values(q, specs) {
      const tally = tallies.get(q.tenantId);
      const now = deps.now();
      const own = q.actionId === undefined ? undefined : tally?.recent.get(q.actionId);
      return Object.fromEntries(
        specs.map((spec) => [
          spec.name,
          (tally === undefined ? 0 : sumOf(tally, spec, subjectOf(q), now)) -
            (own === undefined ? 0 : amountOf(spec, own)),
        ]),
      );
    },
    count(q) {
      const tally = tallies.get(q.tenantId);
      if (tally === undefined || q.actionId === undefined) return;
      note(tally, { ...subjectOf(q), id: q.actionId, facts: q.facts, at: deps.now() });
    },
    withdraw(tenantId, actionId) {
      const tally = tallies.get(tenantId);
      const action = tally?.recent.get(actionId);
      if (tally === undefined || action === undefined) return;
      for (const spec of tally.specs) add(tally, spec, action, -amountOf(spec, action));
      tally.recent.delete(actionId);
    },
  };
}

const subjectOf = (q: DecisionRequest): Pick<CountedAction, "principalId" | "tool" | "verb"> => ({
  principalId: q.principal.id,
  tool: q.tool.name,
  verb: q.tool.verb,
});

type Subject = Pick<CountedAction, "principalId" | "tool" | "verb">;

const partMs = (spec: CounterSpec): number => counterWindows[spec.window] / parts;

function cellOf(spec: CounterSpec, { principalId, tool }: Subject): string {
  const of = { principal: principalId, tool, connection: tool.split("/", 1)[0] ?? "" };
  return JSON.stringify([spec.name, ...spec.per.map((scope) => of[scope])]);
}

const counts = (spec: CounterSpec, { verb }: Subject): boolean =>
  spec.verbs === undefined || spec.verbs.includes(verb as Verb); // a verb of another version counts nowhere

function amountOf(spec: CounterSpec, { facts, ...subject }: CountedAction): number {
  if (!counts(spec, subject)) return 0;
  if (spec.sum === undefined) return 1;
  const value = facts[spec.sum];
  return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
}

function add(tally: Tally, spec: CounterSpec, what: Subject & { readonly at: number }, amount: number): void {
  if (amount === 0 || !counts(spec, what)) return;
  const key = cellOf(spec, what);
  const cell = tally.cells.get(key) ?? new Map<number, number>();
  tally.cells.set(key, cell);
  const part = Math.floor(what.at / partMs(spec));
  cell.set(part, (cell.get(part) ?? 0) + amount);
}

/** Once for each id: rows are read again and again. */
function note(tally: Tally, action: CountedAction): void {
  if (tally.recent.has(action.id)) return;
  tally.recent.set(action.id, action);
  for (const spec of tally.specs) add(tally, spec, action, amountOf(spec, action));
}

function sumOf(tally: Tally, spec: CounterSpec, subject: Subject, now: number): number {
  const oldest = Math.floor((now - counterWindows[spec.window]) / partMs(spec));
  let sum = 0;
  for (const [part, amount] of tally.cells.get(cellOf(spec, subject)) ?? [])
    if (part >= oldest) sum += amount;
  return Math.min(sum, Number.MAX_SAFE_INTEGER);
}

/** Forgets parts that no window reaches and ids that no reading brings again. */
function sweep(tally: Tally, now: number, lateMs: number): void {
  const byName = new Map(tally.specs.map((spec) => [spec.name, spec]));
  for (const [key, cell] of tally.cells) {
    const [name] = JSON.parse(key) as [string]; // made by cellOf
    const spec = byName.get(name);
    const oldest = spec && Math.floor((now - counterWindows[spec.window]) / partMs(spec));
    for (const part of cell.keys()) if (oldest === undefined || part < oldest) cell.delete(part);
    if (cell.size === 0) tally.cells.delete(key);
  }
  for (const [id, { at }] of tally.recent) if (at < now - 10 * lateMs) tally.recent.delete(id);
  tally.sweptAt = now;
}
