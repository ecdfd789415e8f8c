import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ApprovalState, approvalStates, approvalTransitions, tally, type Vote } from "./domain.ts";
import { accepts, anyone, byPrincipal, byRole } from "./seats.ts";
import {
  escalated,
  groupsOf,
  nextEscalation,
  opened,
  openTo,
  progressOf,
  type Requirement,
  type Stage,
  stageOfRoles,
} from "./stages.ts";

const events = ["grant", "override", "reject", "expire", "cancel", "consume"] as const;
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
const at = (minutes: number): Date => new Date(minutes * 60_000);

const voteOf = (
  principalId: string,
  held: readonly string[],
  more: Partial<Pick<Vote, "vote" | "stage" | "onBehalfOf">> = {},
): Vote => ({
  principalId,
  principalName: "",
  vote: "approve",
  roles: held,
  rights: [...held.map(byRole), byPrincipal(principalId)],
  stage: 0,
  onBehalfOf: null,
  factor: null,
  reason: "",
  receiptDigest: "sha256:0",
  at: at(0),
  ...more,
});
const vote: fc.Arbitrary<Vote> = fc
  .tuple(
    fc.constantFrom("p1", "p2", "p3", "p4"),
    fc.uniqueArray(role),
    fc.constantFrom("approve" as const, "reject" as const),
  )
  .map(([id, held, how]) => voteOf(id, held, { vote: how }));
const requirement: fc.Arbitrary<Requirement> = fc.record({ role, quorum: fc.integer({ min: 1, max: 3 }) });
const requirements = fc.uniqueArray(requirement, { selector: (r) => r.role, minLength: 1, maxLength: 3 });
const votes = fc.array(vote, { maxLength: 8 });

const granted = (needs: readonly Requirement[], cast: readonly Vote[]): boolean =>
  progressOf([stageOfRoles("policy", needs)], cast).open.length === 0;

const told = (needs: readonly Requirement[], cast: readonly Vote[], state: ApprovalState = "pending") =>
  tally({
    requirements: needs,
    stages: [stageOfRoles("policy", needs)],
    workflows: [],
    votes: cast,
    state,
    override: null,
  });

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
        expect(granted(needs, cast)).toBe(seats(places, [...held.values()]));
      }),
    );
  });

  it("[A1] is not reached by one person who holds both roles", () => {
    const both = voteOf("p1", ["approver", "admin"]);
    const needs = [
      { role: "approver", quorum: 1 },
      { role: "admin", quorum: 1 },
    ];
    expect(granted(needs, [both])).toBe(false);
    expect(granted(needs, [both, voteOf("p2", ["admin"])])).toBe(true);
    expect(granted(needs, [voteOf("p2", ["admin"]), both])).toBe(true);
  });

  it("[A1] counts a principal once, however often they vote", () => {
    fc.assert(
      fc.property(requirements, votes, fc.integer({ min: 1, max: 4 }), (needs, cast, times) => {
        const repeated = Array.from({ length: times }, () => cast).flat();
        expect(granted(needs, repeated)).toBe(granted(needs, cast));
        expect(told(needs, repeated)).toEqual(told(needs, cast));
      }),
    );
  });

  it("[A1] never counts a rejection as an approval", () => {
    const needs = [{ role: "approver", quorum: 1 }];
    const no = voteOf("p1", ["approver"], { vote: "reject" });
    expect(granted(needs, [no, { ...no, principalId: "p2" }])).toBe(false);
    expect(told(needs, [no])).toEqual({ count: 0, roles: [], workflows: [] });
  });

  it("tells the policy distinct approvers and, before it is granted, only roles that were asked for and held", () => {
    fc.assert(
      fc.property(requirements, votes, (needs, cast) => {
        const { count, roles: given } = told(needs, cast);
        const approving = cast.filter((v) => v.vote === "approve");
        expect(count).toBe(new Set(approving.map((v) => v.principalId)).size);
        for (const name of given) {
          expect(needs.some((n) => n.role === name)).toBe(true);
          expect(approving.some((v) => v.roles.includes(name))).toBe(true);
        }
      }),
    );
  });

  it("[A6] tells the policy what it asked for once granted, and no other role that nobody held", () => {
    const needs = [{ role: "approver", quorum: 1 }];
    const [stage] = escalated(
      [
        {
          ...stageOfRoles("policy", needs),
          slaMs: 1,
          openedAt: at(0).toISOString(),
          escalateTo: [byRole("admin")],
        },
      ],
      { open: [0], empty: [1] },
      at(1),
    ).stages as [Stage];
    const cast = [voteOf("p1", ["admin"])];
    const given = { requirements: needs, stages: [stage], workflows: [], votes: cast, override: null };
    expect(tally({ ...given, state: "approved" })).toMatchObject({ count: 1, roles: ["admin", "approver"] });
    expect(tally({ ...given, votes: [], state: "pending" }).roles).toEqual([]);
  });
});

const stage = (name: string, more: Partial<Stage> = {}): Stage => ({
  ...stageOfRoles(name, []),
  places: [{ anyOf: [byRole(name)], count: 1 }],
  ...more,
});

describe("stages", () => {
  it("[A5] open one after the other, or together where they say so; votes of an earlier group do not count again", () => {
    const stages = [stage("a"), stage("b"), stage("c", { alongside: true }), stage("d")];
    expect(groupsOf(stages)).toEqual([[0], [1, 2], [3]]);
    expect(progressOf(stages, []).open).toEqual([0]);
    const all = ["a", "b", "c", "d"];
    const first = voteOf("p1", all);
    expect(progressOf(stages, [first])).toEqual({ open: [1, 2], empty: [0, 1, 1, 1] });
    const second = voteOf("p2", ["c"], { stage: 1 });
    expect(progressOf(stages, [first, second])).toEqual({ open: [1, 2], empty: [0, 1, 0, 1] });
    const third = voteOf("p3", all, { stage: 1 });
    expect(progressOf(stages, [first, second, third]).open).toEqual([3]);
    const last = voteOf("p4", ["d"], { stage: 3 });
    expect(progressOf(stages, [first, second, third, last]).open).toEqual([]);
  });

  it("[A5] are never through by votes that were cast before they opened", () => {
    fc.assert(
      fc.property(fc.array(vote, { maxLength: 12 }), (cast) => {
        const stages = [stage("approver"), stage("admin")];
        const { open } = progressOf(stages, cast); // all of them cast in the first stage
        expect(open.length).toBeGreaterThan(0);
      }),
    );
  });

  it("[A6] that are overdue are escalated once and let the next group vote; others are left alone", () => {
    const waiting = [stage("a", { slaMs: 60_000, escalateTo: [byRole("z")] }), stage("b", { slaMs: 1 })];
    const begun = opened(waiting, [0], at(10));
    const progress = progressOf(begun, []);
    expect(nextEscalation(begun, progress)).toEqual(at(11));
    expect(escalated(begun, progress, at(10)).which).toEqual([]);
    const { stages, which } = escalated(begun, progress, at(11));
    expect(which).toEqual([0]);
    expect(openTo(stages, [0])).toEqual([byRole("a"), byRole("z")]);
    expect(openTo(stages, [1])).toEqual([byRole("b")]);
    expect(escalated(stages, progressOf(stages, []), at(99)).which).toEqual([]);
    expect(nextEscalation(stages, progressOf(stages, []))).toBeNull();
    expect(progressOf(stages, [voteOf("p1", ["z"])]).open).toEqual([1]);
  });

  it("[A1] take votes of those they name, and of everybody where they name nobody", () => {
    const rights = new Set([byRole("admin"), byPrincipal("p1")]);
    expect(accepts([byRole("approver")], rights)).toBe(false);
    expect(accepts([byRole("approver"), byPrincipal("p1")], rights)).toBe(true);
    expect(accepts([anyone], new Set())).toBe(true);
    expect(accepts([], rights)).toBe(false);
  });
});
