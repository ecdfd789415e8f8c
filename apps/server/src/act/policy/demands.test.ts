import { describe, expect, it } from "vitest";
import { createWorkshop } from "./workshop.ts";

const held = (annotations: string): string =>
  `@id("p") permit (principal, action, resource);
   @id("h") ${annotations} forbid (principal, action, resource) unless { context.approvals.count >= 1 };`;

describe("what a bundle asks of people", () => {
  const workshop = createWorkshop();
  const codes = async (annotations: string): Promise<string[]> =>
    (await workshop.examine({ cedar: held(annotations) }, [])).map((p) => p.code);

  it("is refused when nobody could give it", async () => {
    expect(await codes('@require_approval("cfo:1")')).toEqual(["APPROVAL_ROLE_UNKNOWN"]);
    expect(await codes('@require_approval("auditor:1")')).toEqual(["APPROVAL_ROLE_UNKNOWN"]);
    expect(await codes('@require_approval("approver:1")')).toEqual([]);
  });

  it("may be a workflow, a confirmation of each vote, and that nobody breaks the glass", async () => {
    expect(await codes('@require_approval("workflow:change-board, approver:1")')).toEqual([]);
    expect(await codes('@require_approval("approver:1") @step_up("webauthn") @break_glass("never")')).toEqual(
      [],
    );
  });
});
