import { describe, expect, it } from "vitest";
import { unknownTools } from "./unknown-tools.ts";

const known = [{ name: "wms/http.request", connector: "http" }];

describe("names that the catalogue does not hold", () => {
  it("are told with their place, in scopes, conditions and groups; texts and comments are not names", () => {
    const cedar = `@id("a") @description("Oars::Tool::\\"x\\"") permit (principal, action, resource == Oars::Tool::"wms/htp.request");
// Oars::Tool::"commented/out"
@id("b") forbid (principal, action, resource in Oars::Connector::"http")
  when { resource == Oars::Tool::"wms/http.request" || resource in Oars::Connector::"ftp" };`;
    const entities = { toolGroups: { g: ["wms/*", "erp/*", "wms/http.request", "wms/other"] } };
    const told = unknownTools({ cedar, entities }, known);
    expect(
      told.map(({ path, line, message }) => [path, line, /(?:tool|connector) (\S+?)[,;]/.exec(message)?.[1]]),
    ).toEqual([
      ["cedar", 1, "wms/htp.request"],
      ["cedar", 4, "ftp"],
      ["entities.toolGroups.g.1", undefined, "erp/*"],
      ["entities.toolGroups.g.3", undefined, "wms/other"],
    ]);
  });
});
