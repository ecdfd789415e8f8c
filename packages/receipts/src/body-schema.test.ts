import { describe, expect, it } from "vitest";
import { checkBody } from "./body-schema.ts";

const id = (prefix: string): string => `${prefix}_01jdzx0000e01sz5ke6vs00001`;
const digest = `sha256:${"0".repeat(64)}`;
const body = {
  v: 1,
  typ: "approval.vote",
  rid: id("rct"),
  nonce: "AAAAAAAAAAAAAAAAAAAAAA",
  iss: "https://oars.example/t/x",
  log: "oars.example/log/x",
  ts: "2026-11-20T10:00:00.000Z",
  run: { id: id("run"), step: "ship", flow: "order", version: "1.0.0", hash: digest },
  action: { id: id("act"), digest },
  approval: {
    request: id("apr"),
    state: "pending",
    quorum: { need: 2, got: 1 },
    votes: [digest],
    expires: "2026-11-21T10:00:00.000Z",
  },
  links: { parent: null },
};
const paths = (value: unknown): string[] => checkBody(value).problems.map(({ path }) => path);

describe("receipt body", () => {
  it("is accepted when it is whole", () => {
    expect(checkBody(body)).toEqual({ problems: [], unknown: [] });
  });

  it("names every missing member at once", () => {
    expect(paths({})).toEqual(["/v", "/typ", "/rid", "/nonce", "/iss", "/log", "/ts"]);
    expect(paths(null)).toEqual([""]);
    expect(paths([])).toEqual([""]);
  });

  it("reports members and types of newer writers without refusing them", () => {
    expect(checkBody({ ...body, typ: "later.kind", extra: 1, toString: "x" })).toEqual({
      problems: [],
      unknown: ["extra", "toString", "typ later.kind"],
    });
  });

  it.each([
    ["a time without milliseconds", { ts: "2026-11-20T10:00:00Z" }, "/ts"],
    ["a time with an offset", { ts: "2026-11-20T10:00:00.000+01:00" }, "/ts"],
    ["a day that does not exist", { ts: "2026-02-30T10:00:00.000Z" }, "/ts"],
    ["an id of another kind", { rid: id("run") }, "/rid"],
    ["a short nonce", { nonce: "AAAA" }, "/nonce"],
    ["an unknown decision", { decision: { effect: "maybe" } }, "/decision/effect"],
    ["a decision without effect", { decision: {} }, "/decision/effect"],
    ["a bare digest", { action: { id: id("act"), digest: "0".repeat(64) } }, "/action/digest"],
    ["a negative count", { outcome: { status: "completed", http: -1 } }, "/outcome/http"],
    ["a list that is none", { evidence: { declared: "x" } }, "/evidence/declared"],
    ["a fraction", { extra: { a: [1.5] } }, "/extra/a/0"],
    ["a number beyond 2^53-1", { extra: 2 ** 53 }, "/extra"],
    ["a lone surrogate", { extra: "\ud800" }, "/extra"],
    ["a digest algorithm that is not SHA-256", { _sd_alg: "md5" }, "/_sd_alg"],
  ])("is refused with %s", (_, change, path) => {
    expect(paths({ ...body, ...change })).toContain(path);
  });
});
