import { defineConfig } from "vitest/config";
import { LongestFirst } from "./testing/longest-first.ts";

export default defineConfig({
  resolve: { conditions: ["oars-source", "node"] },
  ssr: { resolve: { conditions: ["oars-source", "node"] } },
  test: {
    globalSetup: "./testing/global-setup.ts",
    include: [
      "packages/**/*.test.ts",
      "apps/**/*.test.ts",
      "examples/**/*.test.ts",
      "scripts/**/*.test.ts",
      "testing/**/*.test.ts",
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    isolate: false, // no module has state of its own, so files can share a process; starting one for each is 0.3 s
    sequence: { sequencer: LongestFirst },
  },
});
