/** Names in a bundle that the catalogue does not hold: allowed, since a tool may come later, but told. */
import type { FieldProblem } from "#platform/kernel";
import type { BundleSource } from "./domain.ts";
import { cutPolicies, placesIn } from "./text.ts";

export interface KnownTool {
  /** `connection/operation`. */
  readonly name: string;
  readonly connector: string;
}

// A comment, or a tool or connector named as an entity; a text in quotes is passed over as a whole.
const named = /\/\/[^\n\r]*|\bOars\s*::\s*(Tool|Connector)\s*::\s*"((?:[^"\\]|\\.)*)"|"(?:[^"\\]|\\.)*"/gsu;

const mostTold = 50;

/** One warning for each place that names what no connection of the tenant has. */
export function unknownTools(source: BundleSource, known: readonly KnownTool[]): FieldProblem[] {
  const names = {
    Tool: new Set(known.map(({ name }) => name)),
    Connector: new Set(known.map((t) => t.connector)),
  };
  const place = placesIn(source.cedar);
  const told: FieldProblem[] = [];
  for (const { text, start } of cutPolicies(source.cedar).policies) {
    for (const match of text.matchAll(named)) {
      const [, kind, id = ""] = match;
      if ((kind !== "Tool" && kind !== "Connector") || names[kind].has(id)) continue;
      const what = kind === "Tool" ? `tool ${id}` : `connector ${id}`;
      const message = `No connection has the ${what}, so this never applies; check its spelling.`;
      told.push({ path: "cedar", code: "POLICY_TOOL_UNKNOWN", message, ...place(start + match.index) });
    }
  }
  const connections = new Set(known.map(({ name }) => name.split("/", 1)[0]));
  for (const [group, members] of Object.entries(source.entities?.toolGroups ?? {}))
    for (const [index, member] of members.entries()) {
      const [connection = "", operation] = member.split("/");
      if (operation === "*" ? connections.has(connection) : names.Tool.has(member)) continue;
      const path = `entities.toolGroups.${group}.${index}`;
      told.push({
        path,
        code: "POLICY_TOOL_UNKNOWN",
        message: `No connection has the tool ${member}; check its spelling.`,
      });
    }
  return told.slice(0, mostTold);
}
