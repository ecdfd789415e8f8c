import { describe, expect, it } from "vitest";
import { createTransforms, transforms } from "./index.ts";

describe("the transforms", () => {
  it("are these six, each at version 1", () => {
    expect(transforms.map(({ name, version }) => `${name}@${version}`)).toEqual([
      "xml.parse@1",
      "json.parse@1",
      "csv.parse@1",
      "map@1",
      "validate@1",
      "score@1",
    ]);
    expect(createTransforms().map(({ name }) => name)).toEqual(transforms.map(({ name }) => name));
  });

  it.each(transforms.map((transform) => [transform.name, transform] as const))(
    "%s refuses unknown config fields and configs that are no objects, as data",
    async (_, transform) => {
      const config = {
        text: "<a/>",
        input: 1,
        mapping: "$",
        schema: true,
        item: {},
        warehouses: [],
        unknownField: 1,
      };
      for (const wrong of [config, null, undefined, 7, "x", []]) {
        expect(await transform.run(wrong)).toMatchObject({ ok: false, error: { code: "CONFIG_INVALID" } });
      }
    },
  );

  it("take a config that was parsed before, with the same result", async () => {
    const csv = transforms.find(({ name }) => name === "csv.parse");
    const raw = { text: "a,b\n1,2\n", types: { a: "integer" } };
    expect(await csv?.run(csv.config.parse(raw))).toEqual(await csv?.run(raw));
  });
});
