/**
 * Replays. States: [Y1] queued -> running -> completed or failed, and nothing leaves an end; [Y2] one process works on
 * a replay at a time, and what an overtaken one finds out is not kept.
 */
import type { Effect } from "#act/policy";

export const replayStates = ["queued", "running", "completed", "failed"] as const;
export type ReplayState = (typeof replayStates)[number];

export interface Replay {
  readonly id: string;
  readonly policyId: string;
  /** The version in force when it began; null: none was. */
  readonly againstId: string | null;
  readonly state: ReplayState;
  /** Actions of so many days; null: however old. */
  readonly days: number | null;
  /** At most so many actions, the newest first. */
  readonly most: number;
  /** How many were asked again so far. */
  readonly done: number;
  readonly report: ReplayReport | null;
  readonly error: string | null;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

export interface ReplayReport {
  /** Actions that were asked again. */
  readonly population: number;
  /** Actions of which nothing was kept that could be asked again. */
  readonly unreadable: number;
  readonly changed: number;
  /** How many decisions went from one effect (outer) to another (inner); those that stayed are there too. */
  readonly matrix: Readonly<Partial<Record<Effect, Partial<Record<Effect, number>>>>>;
  readonly movers: {
    readonly principals: readonly Mover[];
    readonly tools: readonly Mover[];
    readonly policies: readonly Mover[];
  };
  readonly examples: readonly Example[];
}

/** Who or what stands behind most changes. */
export interface Mover {
  readonly name: string;
  readonly changed: number;
}

export interface Example {
  readonly actionId: string;
  readonly tool: string;
  readonly before: Effect;
  readonly after: Effect;
  readonly reasons: readonly string[];
}

export interface Compared {
  readonly actionId: string;
  readonly principalId: string;
  readonly tool: string;
  readonly before: { readonly effect: Effect; readonly reasons: readonly string[] };
  readonly after: { readonly effect: Effect; readonly reasons: readonly string[] };
}

const mostMovers = 10;
const mostExamples = 20;
const mostNames = 10_000;

/** Collects comparisons one by one; what it holds is bounded whatever their number. */
export function createTally() {
  const matrix: Partial<Record<Effect, Partial<Record<Effect, number>>>> = {};
  const names = { principals: new Map<string, number>(), tools: new Map(), policies: new Map() } as const;
  const examples: Example[] = [];
  let population = 0;
  let unreadable = 0;
  let changed = 0;
  const count = (of: Map<string, number>, name: string): void => {
    if (of.has(name) || of.size < mostNames) of.set(name, (of.get(name) ?? 0) + 1);
  };
  return {
    unread: (): void => {
      unreadable += 1;
    },
    add({ actionId, principalId, tool, before, after }: Compared): void {
      population += 1;
      const row = matrix[before.effect] ?? {};
      matrix[before.effect] = row;
      row[after.effect] = (row[after.effect] ?? 0) + 1;
      if (before.effect === after.effect) return;
      changed += 1;
      count(names.principals, principalId);
      count(names.tools, tool);
      // what denied before or denies now; where nothing did, what allowed
      for (const policy of new Set([...before.reasons, ...after.reasons])) count(names.policies, policy);
      if (examples.length < mostExamples)
        examples.push({ actionId, tool, before: before.effect, after: after.effect, reasons: after.reasons });
    },
    report: (): ReplayReport => ({
      population,
      unreadable,
      changed,
      matrix,
      movers: { principals: top(names.principals), tools: top(names.tools), policies: top(names.policies) },
      examples,
    }),
  };
}

const top = (counts: ReadonlyMap<string, number>): Mover[] =>
  [...counts]
    .map(([name, changed]) => ({ name, changed }))
    .sort((a, b) => b.changed - a.changed || (a.name < b.name ? -1 : 1))
    .slice(0, mostMovers);
