import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Connector, checkConnector } from "#act/connector-kit";
import { createWebConnectors } from "#act/connectors-web";
import { wireConnectors } from "#act/connectors-wire";

const webConnectors = createWebConnectors();
const all: readonly Connector[] = [...webConnectors, ...wireConnectors];

describe("every connector", () => {
  it.each(all.map((one) => [one.name, one] as const))("%s keeps the rules of the kit", async (_name, one) => {
    expect(await checkConnector(one)).toEqual([]);
  });

  it("has a name of its own", () => {
    expect(new Set(all.map((one) => one.name)).size).toBe(all.length);
  });
});

describe("the check itself", () => {
  const [http] = webConnectors;
  if (http === undefined) throw new Error("there is no connector");
  const broken = (change: object): Connector => ({ ...http, ...change });

  it.each([
    ["an odd name", { name: "Fax Machine" }, "name must be"],
    ["no manual", { docs: "see wiki" }, "docs must be"],
    ["a hidden secret", { secretNames: () => [] }, "secretNames leaves out wms-token"],
    ["an invented secret", { secretNames: () => ["wms-token", "other"] }, "secretNames makes up other"],
    ["a loose config", { configSchema: z.looseObject({}) }, "the config takes unknown fields"],
    [
      "a test that is always content",
      { test: async () => ({ ok: true, message: "" }) },
      "test() must report",
    ],
    ["no fixtures", { fixtures: { ...http.fixtures, inputs: {} } }, "has no fixture"],
    ["operations of another connector", { name: "fax" }, "must be named <connector>.<operation>"],
  ])("finds %s", async (_what, change, fault) => {
    expect((await checkConnector(broken(change))).join("\n")).toContain(fault);
  });

  it.each([
    ["a wrong emulation", { emulate: () => ({}) }, "emulate gives something else"],
    ["a thrown failure", { execute: () => Promise.reject(new Error("boom")) }, "must fail, and not throw"],
    ["a loose input", { input: z.looseObject({ path: z.string() }) }, "the input takes unknown fields"],
  ])("finds an operation with %s", async (_what, change, fault) => {
    const [name = "", operation] = Object.entries(http.operations)[0] ?? [];
    const operations = { ...http.operations, [name]: { ...operation, ...change } };
    expect((await checkConnector(broken({ operations }))).join("\n")).toContain(fault);
  });
});
