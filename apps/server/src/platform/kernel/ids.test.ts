import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatId, idPrefixes, isUuid, newId, parseId } from "./index.ts";

describe("ids", () => {
  it("count upward within a process, whatever the clock says", () => {
    const ids = Array.from({ length: 20_000 }, (_, i) => newId(1_700_000_000_000 - (i % 7)));
    expect(ids.every(isUuid)).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
  });

  it("are UUIDv7: version, variant and the time in the first 48 bits", () => {
    const ms = Date.now() + 60_000;
    const id = newId(ms);
    expect(id[14]).toBe("7");
    expect("89ab").toContain(id[19]);
    expect(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toBeGreaterThanOrEqual(ms);
  });

  it("keep their value through the TypeID text, and sort the same way", () => {
    const uuid = fc.uuid().map((u) => u.toLowerCase());
    fc.assert(
      fc.property(uuid, uuid, (a, b) => {
        expect(parseId("run", formatId("run", a))).toBe(a);
        expect(formatId("run", a) < formatId("run", b)).toBe(a < b);
      }),
    );
  });

  it("match the published TypeID example", () => {
    expect(formatId("run", "01890a5d-ac96-774b-bcce-b302099a8057")).toBe("run_01h455vb4pex5vsknk084sn02q");
  });

  it.each([
    "",
    "run_",
    "act_01h455vb4pex5vsknk084sn02q",
    "run_81h455vb4pex5vsknk084sn02q",
    "run_01h455vb4pex5vsknk084sn02",
    "run_01h455vb4pex5vsknk084sn02u",
    "RUN_01h455vb4pex5vsknk084sn02q",
  ])("refuse %j as a run's id", (text) => {
    expect(parseId("run", text)).toBeUndefined();
  });

  it("have one prefix for each kind", () => {
    expect(new Set(Object.values(idPrefixes)).size).toBe(Object.keys(idPrefixes).length);
  });
});
