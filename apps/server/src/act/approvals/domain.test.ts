import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ApprovalState,
  approvalStates,
  approvalTransitions,
  hasRole,
  isGranted,
  missing,
  type Requirement,
  tally,
  type Vote,
} from "./domain.ts";

const events = ["grant", "reject", "expire", "cancel", "consume"] as const;
const ended: readonly ApprovalState[] = ["rejected", "expired", "cancelled", "consumed"];

describe("the life of an approval", () => {
  it("[A2] says for every state and event what happens, and for nothing else", () => {
    expect(Object.keys(approvalTransitions).sort()).toEqual([...approvalStates].sort());
    for (const state of approvalStates) {
      expect(Object.keys(approvalTransitions[state]).sort()).toEqual([...events].sort());
    }
  });

  it("[A2] resolves once: after an end nothing moves it", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 30 }), (sequence) => {
        let state: ApprovalState = "pending";
        let end: ApprovalState | undefined;
        for (const event of sequence) {
          state = approvalTransitions[state][event] ?? state;
          if (end) expect(state).toBe(end);
          else if (ended.includes(state)) end = state;
        }
      }),
    );
  });

  it("[A3] is consumed only once granted, and only once", () => {
    const consumable = approvalStates.filter((s) => approvalTransitions[s].consume !== null);
    expect(consumable).toEqual(["approved"]);
    expect(approvalTransitions.approved.consume).toBe("consumed");
  });

  it("[A4] can expire for as long as it was not used", () => {
    expect(approvalStates.filter((s) => approvalTransitions[s].expire === "expired")).toEqual([
      "pending",
      "approved",
    ]);
  });
});

const roles = ["approver", "admin", "auditor"] as const;
const role = fc.constantFrom(...roles);
const vote: fc.Arbitrary<Vote> = fc.record({
  principalId: fc.constantFrom("p1", "p2", "p3", "p4"),
  principalName: fc.constant(""),
  vote: fc.constantFrom("approve" as const, "reject" as const),
  roles: fc.uniqueArray(role),
  reason: fc.constant(""),
  receiptDigest: fc.constant("sha256:0"),
  at: fc.constant(new Date(0)),
});
const requirement: fc.Arbitrary<Requirement> = fc.record({ role, quorum: fc.integer({ min: 1, max: 3 }) });
const requirements = fc.uniqueArray(requirement, { selector: (r) => r.role, minLength: 1, maxLength: 3 });
const votes = fc.array(vote, { maxLength: 8 });

const approving = (cast: readonly Vote[], name: string): number =>
  new Set(cast.filter((v) => v.vote === "approve" && v.roles.includes(name)).map((v) => v.principalId)).size;

describe("a quorum", () => {
  it("[A1] is reached when every place of every requirement has a person of its own, and not before", () => {
    const seats = (places: readonly string[], people: readonly (readonly string[])[]): boolean => {
      const [place, ...rest] = places;
      if (place === undefined) return true;
      return people.some((held, i) => held.includes(place) && seats(rest, people.toSpliced(i, 1)));
    };
    fc.assert(
      fc.property(requirements, votes, (needs, cast) => {
        const held = new Map<string, string[]>();
        for (const v of cast) {
          if (v.vote === "approve") held.set(v.principalId, [...(held.get(v.principalId) ?? []), ...v.roles]);
        }
        const places = needs.flatMap((n) => Array.from({ length: n.quorum }, () => n.role));
        expect(isGranted(needs, cast)).toBe(seats(places, [...held.values()]));
      }),
    );
  });

  it("[A1] is not reached by one person who holds both roles", () => {
    const both: Vote = {
      principalId: "p1",
      principalName: "",
      vote: "approve",
      roles: ["approver", "admin"],
      reason: "",
      receiptDigest: "",
      at: new Date(0),
    };
    const needs = [
      { role: "approver", quorum: 1 },
      { role: "admin", quorum: 1 },
    ];
    expect(isGranted(needs, [both])).toBe(false);
    expect(isGranted(needs, [both, { ...both, principalId: "p2", roles: ["admin"] }])).toBe(true);
    expect(isGranted(needs, [{ ...both, principalId: "p2", roles: ["admin"] }, both])).toBe(true);
  });

  it("[A1] counts a principal once, however often they vote", () => {
    fc.assert(
      fc.property(requirements, votes, fc.integer({ min: 1, max: 4 }), (needs, cast, times) => {
        const repeated = Array.from({ length: times }, () => cast).flat();
        expect(isGranted(needs, repeated)).toBe(isGranted(needs, cast));
        expect(tally({ requirements: needs, votes: repeated })).toEqual(
          tally({ requirements: needs, votes: cast }),
        );
      }),
    );
  });

  it("[A1] never counts a rejection as an approval", () => {
    const rejecting = { role: "approver", quorum: 1 };
    const no = (principalId: string): Vote => ({
      principalId,
      principalName: "",
      vote: "reject",
      roles: ["approver"],
      reason: "",
      receiptDigest: "",
      at: new Date(0),
    });
    expect(isGranted([rejecting], [no("p1"), no("p2")])).toBe(false);
    expect(tally({ requirements: [rejecting], votes: [no("p1")] })).toEqual({ count: 0, roles: [] });
  });

  it("says what is missing: nothing exactly when it is reached, the largest shortfall first", () => {
    fc.assert(
      fc.property(requirements, votes, (needs, cast) => {
        const lacking = missing(needs, cast);
        expect(lacking.length === 0).toBe(isGranted(needs, cast));
        for (const l of lacking) {
          const need = needs.find((n) => n.role === l.role);
          expect(l.quorum).toBeGreaterThanOrEqual((need?.quorum ?? 0) - approving(cast, l.role));
          expect(l.quorum).toBeLessThanOrEqual(need?.quorum ?? 0);
          expect(l.quorum).toBeGreaterThan(0);
        }
        const sizes = lacking.map((l) => l.quorum);
        expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
      }),
    );
  });

  it("tells the policy distinct approvers and only roles that were asked for and held", () => {
    fc.assert(
      fc.property(requirements, votes, (needs, cast) => {
        const told = tally({ requirements: needs, votes: cast });
        const people = new Set(cast.filter((v) => v.vote === "approve").map((v) => v.principalId));
        expect(told.count).toBe(people.size);
        for (const name of told.roles) {
          expect(needs.some((n) => n.role === name)).toBe(true);
          expect(approving(cast, name)).toBeGreaterThan(0);
        }
      }),
    );
  });

  it("[A1] lets nobody vote who holds none of the required roles", () => {
    const needs = [{ role: "approver", quorum: 1 }];
    expect(hasRole(["admin", "operator"], needs)).toBe(false);
    expect(hasRole(["admin", "approver"], needs)).toBe(true);
    expect(hasRole([], needs)).toBe(false);
  });
});
