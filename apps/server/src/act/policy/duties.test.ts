import { describe, expect, it } from "vitest";
import { combineDuties, defaultTtlMs, readDuties } from "./duties.ts";

const codes = (annotations: Record<string, string | null>, effect: "permit" | "forbid" = "forbid") =>
  readDuties(annotations, effect).problems.map((problem) => problem.code);

describe("annotations", () => {
  it("become duties", () => {
    const { duties, problems } = readDuties(
      {
        id: "pay",
        require_approval: "finance:2, legal:1",
        ttl: "PT15M",
        step_up: "webauthn",
        description: "Big payments.",
      },
      "forbid",
    );
    expect(problems).toEqual([]);
    expect(duties).toEqual({
      approval: [
        { role: "finance", quorum: 2 },
        { role: "legal", quorum: 1 },
      ],
      ttlMs: 900_000,
      stepUp: "webauthn",
      description: "Big payments.",
    });
  });

  it.each([
    "finance",
    "finance:0",
    "finance:11",
    "finance:1.5",
    "Finance:1",
    ":1",
    "a:1:2",
    "a:1,a:2",
    "",
    "a:1,",
  ])("refuse the approval %j", (text) => {
    expect(codes({ require_approval: text })).toEqual(["ANNOTATION_APPROVAL"]);
  });

  it("refuse machines as approvers", () => {
    expect(codes({ require_approval: "agent:1" })).toEqual(["ANNOTATION_ROLE"]);
  });

  it.each([
    ["PT1M", 60_000],
    ["PT90S", 90_000],
    ["P1DT2H", 26 * 3_600_000],
    ["P1W", 7 * 24 * 3_600_000],
    ["P30D", 30 * 24 * 3_600_000],
  ])("read the duration %s", (text, ms) => {
    expect(readDuties({ require_approval: "a:1", ttl: text }, "forbid").duties.ttlMs).toBe(ms);
  });

  it.each(["P", "PT", "P1DT", "PT59S", "P31D", "P1M", "P1Y", "15m", "PT-5M", "PT1.5H", "P1W1D", ""])(
    "refuse the duration %j",
    (text) => {
      expect(codes({ require_approval: "a:1", ttl: text })).toEqual(["ANNOTATION_TTL"]);
    },
  );

  it("are refused when unknown, alone, contradicting or on a permit", () => {
    expect(codes({ require_aproval: "a:1" })).toEqual(["ANNOTATION_UNKNOWN"]);
    expect(codes({ constructor: "x" })).toEqual(["ANNOTATION_UNKNOWN"]);
    expect(codes({ ttl: "PT5M", step_up: "totp" })).toEqual(["ANNOTATION_ALONE", "ANNOTATION_ALONE"]);
    expect(codes({ quarantine: null, require_approval: "a:1" })).toEqual(["ANNOTATION_CONFLICT"]);
    expect(codes({ require_approval: "a:1", quarantine: "" }, "permit")).toContain("ANNOTATION_ON_PERMIT");
    expect(codes({ require_approval: "a:1", step_up: "sms" })).toEqual(["ANNOTATION_STEP_UP"]);
  });
});

describe("duties of several policies", () => {
  it("combine to the largest quorum per role, the shortest ttl and the strongest step-up", () => {
    const all = combineDuties([
      { approval: [{ role: "legal", quorum: 1 }], ttlMs: 600_000, stepUp: "totp" },
      {
        approval: [
          { role: "finance", quorum: 2 },
          { role: "legal", quorum: 3 },
        ],
        ttlMs: 300_000,
        stepUp: "webauthn",
      },
      { approval: [{ role: "finance", quorum: 1 }] },
    ]);
    expect(all).toEqual({
      requirements: [
        { role: "finance", quorum: 2 },
        { role: "legal", quorum: 3 },
      ],
      workflows: [],
      ttlMs: 300_000,
      stepUp: "webauthn",
      breakGlass: true,
    });
  });

  it("go through every workflow that one of them names, and forbid breaking the glass when one does", () => {
    const held = (text: string, more: Record<string, string> = {}) =>
      readDuties({ require_approval: text, ...more }, "forbid");
    const [board, never] = [
      held("workflow:board, legal:1"),
      held("workflow:audit", { break_glass: "never" }),
    ];
    expect([...board.problems, ...never.problems]).toEqual([]);
    expect(combineDuties([board.duties, never.duties])).toMatchObject({
      requirements: [{ role: "legal", quorum: 1 }],
      workflows: ["audit", "board"],
      breakGlass: false,
    });
    expect(codes({ require_approval: "workflow:a, workflow:a" })).toEqual(["ANNOTATION_APPROVAL"]);
    expect(codes({ require_approval: "a:1", break_glass: "no" })).toEqual(["ANNOTATION_BREAK_GLASS"]);
    expect(codes({ break_glass: "never" })).toEqual(["ANNOTATION_ALONE"]);
  });

  it("wait a day when no policy says how long", () => {
    expect(combineDuties([{ approval: [{ role: "a", quorum: 1 }] }])).toMatchObject({
      ttlMs: defaultTtlMs,
      stepUp: null,
    });
  });
});
