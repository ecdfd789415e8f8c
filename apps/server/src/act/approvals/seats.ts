/**
 * Who may sit where. An approver is named by a token: `role:approver`, `principal:<uuid>`, or `anyone`, which is
 * everybody who may decide at all. Seats are filled by distinct people, as many as can be.
 */
export type Approver = string;
export const anyone: Approver = "anyone";
export const byRole = (role: string): Approver => `role:${role}`;
export const byPrincipal = (id: string): Approver => `principal:${id}`;

export interface Seat {
  /** Index of its stage. */
  readonly stage: number;
  readonly anyOf: readonly Approver[];
}

export const accepts = (anyOf: readonly Approver[], rights: ReadonlySet<Approver>): boolean =>
  anyOf.some((approver) => approver === anyone || rights.has(approver));

/** The largest set of seats that distinct people can fill, by augmenting paths (Kuhn). Answers the filled seats' indexes. */
export function fillSeats(
  seats: readonly Seat[],
  people: ReadonlyMap<string, ReadonlySet<Approver>>,
): ReadonlySet<number> {
  const filled = new Map<number, string>();
  const place = (person: string, tried: Set<number>): boolean => {
    const rights = people.get(person) ?? new Set<Approver>();
    for (const [i, { anyOf }] of seats.entries()) {
      if (tried.has(i) || !accepts(anyOf, rights)) continue;
      tried.add(i);
      const holder = filled.get(i);
      if (holder === undefined || place(holder, tried)) {
        filled.set(i, person);
        return true;
      }
    }
    return false;
  };
  for (const person of people.keys()) place(person, new Set());
  return new Set(filled.keys());
}
