import type { FastifyRequest } from "fastify";
import { describe, expect, it } from "vitest";
import type { EventDraft } from "#platform/events";
import { type ErrorCode, newId, OarsError } from "#platform/kernel";
import { type DoorEvents, noteRefusal } from "./refusals.ts";

const tenantId = newId();

/** What is counted and suspected when a request is refused with this code. */
function refusedWith(code: ErrorCode, known = true): { counted: string[]; suspected: readonly string[] } {
  const counted: string[] = [];
  let suspected: readonly string[] = [];
  const events: DoorEvents = {
    count: (draft: EventDraft) =>
      void counted.push(`${draft.type} of ${draft.tenantId === tenantId ? "tenant" : "nobody"}`),
    suspect: (_draft, named) => {
      suspected = named;
    },
    within: (_origin, work) => work(),
  };
  const caller = known
    ? { tenantId, principalId: newId(), principalKind: "user", principalName: "ann" }
    : null;
  const request = { id: "r", ip: "203.0.113.7", method: "GET", caller, params: { id: "run_x" } };
  noteRefusal(events, new OarsError(code), request as unknown as FastifyRequest); // the parts that it reads
  return { counted, suspected };
}

describe("a refusal at the door", () => {
  it.each([
    ["AUTH_KEY_INVALID", false, "authentication.failed of nobody"],
    ["WEBHOOK_SIGNATURE_INVALID", false, "authentication.failed of nobody"],
    ["AUTH_TENANT_FORBIDDEN", false, "tenant.access_denied of nobody"],
    ["AUTH_FORBIDDEN", true, "authorization.denied of tenant"],
    ["STEP_UP_WRONG", true, "authentication.step_up_failed of tenant"],
    ["STEP_UP_LOCKED", true, "authentication.step_up_failed of tenant"],
    ["REQUEST_RATE_LIMITED", true, "request.rate_limited of tenant"],
  ] as const)("%s is counted", (code, known, expected) => {
    expect(refusedWith(code, known)).toEqual({ counted: [expected], suspected: [] });
  });

  it("with an unknown id asks whose it is, of a known caller alone", () => {
    expect(refusedWith("RUN_NOT_FOUND")).toEqual({ counted: [], suspected: ["run_x"] });
    expect(refusedWith("RUN_NOT_FOUND", false)).toEqual({ counted: [], suspected: [] });
  });

  it("for any other reason is no event", () => {
    for (const code of ["REQUEST_INVALID", "RUN_ENDED", "SERVER_BUSY"] as const)
      expect(refusedWith(code)).toEqual({ counted: [], suspected: [] });
  });
});
