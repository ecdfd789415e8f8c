/** The tables of docs/specs say what the code does. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { actionTransitions } from "../apps/server/src/act/actions/index.ts";
import { approvalTransitions } from "../apps/server/src/act/approvals/index.ts";
import { policyTransitions } from "../apps/server/src/act/policy/index.ts";
import { runTransitions } from "../apps/server/src/orchestrate/engine/index.ts";

type Transitions = Readonly<Record<string, Readonly<Record<string, string | null>>>>;

const root = join(import.meta.dirname, "..");
const cellsOf = (line: string): string[] =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("`", ""));

/** The first table of the text whose head begins with an empty cell. */
function tableOf(markdown: string): Transitions {
  const lines = markdown.split("\n");
  const head = lines.findIndex((line) => /^\|\s+\|/.test(line));
  const [, ...events] = cellsOf(lines[head] ?? "");
  const end = lines.findIndex((line, i) => i > head && !line.startsWith("|"));
  return Object.fromEntries(
    lines.slice(head + 2, end).map((line) => {
      const [state = "", ...next] = cellsOf(line);
      return [state, Object.fromEntries(events.map((e, i) => [e, next[i] === "-" ? null : (next[i] ?? "")]))];
    }),
  );
}

describe("the tables of the specifications", () => {
  it.each<[string, Transitions]>([
    ["run", runTransitions],
    ["action", actionTransitions],
    ["approval", approvalTransitions],
    ["policy", policyTransitions],
  ])("of the life of %s are those of the code", async (name, transitions) => {
    expect(tableOf(await readFile(join(root, `docs/specs/${name}.md`), "utf8"))).toEqual(transitions);
  });
});

describe("the promises of the specifications", () => {
  it.each(["run", "order", "claim", "action", "approval", "policy", "log"])(
    "of %s are each held by the tests that it names",
    async (name) => {
      const text = await readFile(join(root, `docs/specs/${name}.md`), "utf8");
      const promised = [...text.matchAll(/^- \*\*([A-Z]\d+)\*\* /gm)].map((m) => m[1] ?? "");
      const held = [...text.matchAll(/^\| ([A-Z]\d+) +\| (.+) \|$/gm)].map(
        (m) => [m[1] ?? "", m[2] ?? ""] as const,
      );
      expect(promised.length).toBeGreaterThan(3);
      expect(held.map(([label]) => label)).toEqual(promised);
      for (const [label, files] of held) {
        for (const [, file] of files.matchAll(/`([^`]+)`/g)) {
          const code = await readFile(join(root, "apps/server/src", file ?? ""), "utf8");
          expect(code, `${file} cites ${label}`).toContain(`[${label}]`);
        }
      }
    },
  );
});
