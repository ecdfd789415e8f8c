/**
 * Stages of an approval, as they were when it was made. Those that stand together open together; the next ones open
 * once every seat of them is filled. Pure: the time is given.
 */
import { type Approver, byRole, fillSeats, type Seat } from "./seats.ts";

/** So many distinct people, each of them one of these. */
export interface Place {
  readonly anyOf: readonly Approver[];
  readonly count: number;
}

export interface Stage {
  readonly name: string;
  readonly places: readonly Place[];
  /** Opens together with the stage before it. */
  readonly alongside: boolean;
  readonly slaMs: number | null;
  /** Who may vote as well once it is overdue. */
  readonly escalateTo: readonly Approver[];
  /** RFC 3339; null before it opens. */
  readonly openedAt: string | null;
  readonly escalatedAt: string | null;
}

/** What counts of a vote. */
export interface Ballot {
  readonly principalId: string;
  readonly vote: "approve" | "reject";
  /** The first stage of those that were open. */
  readonly stage: number;
  /** Tokens that the voter could vote by. */
  readonly rights: readonly Approver[];
}

/** So many more people who hold the role, or are among the named ones. */
export interface Requirement {
  readonly role: string;
  readonly quorum: number;
}

export interface Progress {
  /** Indexes of the open stages; empty when all are through. */
  readonly open: readonly number[];
  /** Seats that nobody has filled, by stage; 0 for stages that are through. */
  readonly empty: readonly number[];
}

export const stageOfRoles = (name: string, requirements: readonly Requirement[]): Stage => ({
  name,
  places: requirements.map(({ role, quorum }) => ({ anyOf: [byRole(role)], count: quorum })),
  alongside: false,
  slaMs: null,
  escalateTo: [],
  openedAt: null,
  escalatedAt: null,
});

/** Indexes of stages that open together, in order. */
export function groupsOf(stages: readonly Stage[]): number[][] {
  const groups: number[][] = [];
  for (const [i, stage] of stages.entries()) {
    const last = groups.at(-1);
    if (stage.alongside && last) last.push(i);
    else groups.push([i]);
  }
  return groups;
}

const seatsOf = (stages: readonly Stage[], group: readonly number[]): Seat[] =>
  group.flatMap((i) =>
    (stages[i]?.places ?? []).flatMap(({ anyOf, count }) =>
      Array.from({ length: count }, () => ({ stage: i, anyOf })),
    ),
  );

function peopleOf(ballots: readonly Ballot[], stage: number): Map<string, Set<Approver>> {
  const people = new Map<string, Set<Approver>>();
  for (const ballot of ballots) {
    if (ballot.vote !== "approve" || ballot.stage !== stage) continue;
    people.set(ballot.principalId, new Set([...(people.get(ballot.principalId) ?? []), ...ballot.rights]));
  }
  return people;
}

/** How far it has come. Each approver is counted for one seat: who holds two of the roles fills one. */
export function progressOf(stages: readonly Stage[], ballots: readonly Ballot[]): Progress {
  const empty = stages.map((stage) => stage.places.reduce((sum, { count }) => sum + count, 0));
  for (const group of groupsOf(stages)) {
    const seats = seatsOf(stages, group);
    const filled = fillSeats(seats, peopleOf(ballots, group[0] ?? 0));
    for (const i of group) empty[i] = 0;
    for (const [i, seat] of seats.entries())
      if (!filled.has(i)) empty[seat.stage] = (empty[seat.stage] ?? 0) + 1;
    if (filled.size < seats.length) return { open: group, empty };
  }
  return { open: [], empty };
}

/** Everybody who may vote now. */
export const openTo = (stages: readonly Stage[], open: readonly number[]): Approver[] => [
  ...new Set(open.flatMap((i) => (stages[i]?.places ?? []).flatMap(({ anyOf }) => anyOf))),
];

/** Notes when the open stages opened, where that is not known yet. */
export const opened = (stages: readonly Stage[], open: readonly number[], now: Date): Stage[] =>
  stages.map((stage, i) =>
    open.includes(i) && stage.openedAt === null ? { ...stage, openedAt: now.toISOString() } : stage,
  );

/** When a stage is overdue; null without a time limit, or before it opens. */
export const dueAt = ({ slaMs, openedAt }: Stage): Date | null =>
  slaMs === null || openedAt === null ? null : new Date(Date.parse(openedAt) + slaMs);

const unescalated = (stages: readonly Stage[], { open, empty }: Progress): number[] =>
  open.filter((i) => (empty[i] ?? 0) > 0 && stages[i]?.escalatedAt === null && stages[i]?.slaMs !== null);

/** When the next stage is to be escalated, or null. */
export function nextEscalation(stages: readonly Stage[], progress: Progress): Date | null {
  const times = unescalated(stages, progress).flatMap((i) => {
    const due = stages[i] && dueAt(stages[i]);
    return due ? [due.getTime()] : [];
  });
  return times.length === 0 ? null : new Date(Math.min(...times));
}

/** [A6] Grants the next group the right to vote in every stage that is overdue. Each stage is escalated once. */
export function escalated(
  stages: readonly Stage[],
  progress: Progress,
  now: Date,
): { readonly stages: readonly Stage[]; readonly which: readonly number[] } {
  const which = unescalated(stages, progress).filter((i) => {
    const due = stages[i] && dueAt(stages[i]);
    return due !== null && due !== undefined && due <= now;
  });
  return {
    which,
    stages: stages.map((stage, i) => {
      if (!which.includes(i)) return stage;
      const places = stage.places.map(({ anyOf, count }) => ({
        anyOf: [...new Set([...anyOf, ...stage.escalateTo])],
        count,
      }));
      return { ...stage, places, escalatedAt: now.toISOString() };
    }),
  };
}

/** What the stages ask for in all, for people to read: `approver`, `ana or ben`, `anyone`. */
export const requirementsOf = (
  stages: readonly Stage[],
  label: (approver: Approver) => string,
): Requirement[] =>
  stages.flatMap(({ places }) =>
    places.map(({ anyOf, count }) => ({ role: anyOf.map(label).join(" or "), quorum: count })),
  );
