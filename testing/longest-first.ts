import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take long, longest first: one that began last would run alone while the other processors wait. */
const longest = [
  "apps/server/src/crash.test.ts",
  "apps/server/src/model.test.ts",
  "examples/order-to-warehouse/demo/demo.test.ts",
  "scripts/snippets.test.ts",
  "apps/server/src/approval-flow.test.ts",
  "apps/server/src/run-control.test.ts",
  "apps/cli/src/commands.test.ts",
  "apps/server/src/run-engine.test.ts",
];

/** The order of the last run where there was one, by size where not; before all of them those known to be long. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const known = longest.findIndex((name) => moduleId.endsWith(name));
      return known < 0 ? longest.length : known;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
