import { describe, expect, it } from "vitest";
import { variables } from "../../apps/server/src/platform/config/index.ts";
import { errorCatalogue } from "../../apps/server/src/platform/kernel/index.ts";
import { renderApi } from "./api.ts";
import { renderConfiguration, renderEnvExample } from "./configuration.ts";
import { firstDifference } from "./difference.ts";
import { renderErrors } from "./errors.ts";
import { table } from "./markdown.ts";

describe("the configuration reference", () => {
  const page = renderConfiguration();
  const example = renderEnvExample();

  it.each(Object.entries(variables))("names %s with its aliases and description", (name, variable) => {
    for (const word of [name, ...variable.aliases]) expect(page).toContain(`\`${word}\``);
    expect(page).toContain(variable.description.replaceAll("|", "\\|"));
    expect(example).toContain(`\n#${name}=`);
  });

  it("the example sets nothing, so copying it changes nothing, and its lines are short", () => {
    for (const line of example.split("\n")) {
      expect(line).toMatch(/^(#.*)?$/);
      expect(line.length).toBeLessThanOrEqual(110);
    }
  });
});

describe("the error reference", () => {
  it("has one row for every code of the catalogue", () => {
    const rows = renderErrors().match(/^\| `[A-Z_]+` \|/gm) ?? [];
    expect(rows.map((r) => r.slice(3, -3)).sort()).toEqual(Object.keys(errorCatalogue).sort());
  });

  it("says when a request may be repeated", () => {
    const page = renderErrors({
      A_B: { status: 503, retry: "after", message: "Wait {seconds} s | or not." },
    });
    expect(page).toContain("| `A_B` | 503 | after `Retry-After` | Wait {seconds} s \\| or not. |");
  });
});

describe("the API reference", () => {
  it("shows each endpoint with its parameters, body and answers", () => {
    const ref = (name: string) => ({
      "application/json": { schema: { $ref: `#/components/schemas/${name}` } },
    });
    const page = renderApi({
      info: { description: "About." },
      paths: {
        "/v1/runs/{id}": {
          get: {
            tags: ["runs"],
            summary: "One run",
            parameters: [{ name: "id", in: "path", required: true, description: "Which" }],
            responses: { 200: { content: ref("Run") }, default: { content: ref("Problem") } },
          },
        },
        "/v1/runs": {
          post: {
            tags: ["runs"],
            requestBody: { content: ref("StartRun") },
            responses: { 204: { description: "Done" } },
          },
        },
      },
    });
    expect(page.match(/^## /gm)).toHaveLength(1);
    expect(page).toContain("### GET /v1/runs/{id}\n\nOne run");
    expect(page).toContain("| `id` | path, required | Which |");
    expect(page).toContain("Body: `StartRun` as `application/json`.");
    expect(page).toContain("- 200: `Run` as `application/json`");
    expect(page).toContain("- otherwise: `Problem`");
    expect(page).toContain("- 204: Done");
  });
});

describe("the parts", () => {
  it("a cell cannot break its table", () => {
    expect(table(["a"], [["x|y\nz"]])).toBe("| a |\n| --- |\n| x\\|y z |");
  });

  it.each([
    ["a\nb\n", "a\nb\n", undefined],
    ["a\nb\n", "a\nc\n", { line: 2, has: '"b"', should: '"c"' }],
    ["a", "a\nb", { line: 2, has: "(end of file)", should: '"b"' }],
    ["a\nb", "a", { line: 2, has: '"b"', should: "(end of file)" }],
  ])("finds where %j and %j part", (has, should, difference) => {
    expect(firstDifference(has, should)).toEqual(difference);
  });
});
