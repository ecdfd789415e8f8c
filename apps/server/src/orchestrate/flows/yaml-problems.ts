import type { Document } from "yaml";
import type { ProblemCode } from "./problem-codes.ts";
import type { Problem } from "./problems.ts";

/** What each fault of the YAML parser is called here; any other is SOURCE_SYNTAX. */
const codes: Readonly<Record<string, ProblemCode>> = {
  TAB_AS_INDENT: "SOURCE_TAB",
  TAG_RESOLVE_FAILED: "SOURCE_TAG",
  NON_STRING_KEY: "SOURCE_KEY",
  RESOURCE_EXHAUSTION: "FLOW_TOO_DEEP",
  MULTIPLE_DOCS: "SOURCE_DOCUMENTS",
};

/** Faults of the text itself, in its order. */
export function yamlProblems(document: Document, source: string): Problem[] {
  const problems: Problem[] = [];
  const faults = [...document.errors, ...document.warnings];
  const deep = faults.find((fault) => fault.code === "RESOURCE_EXHAUSTION");
  for (const fault of deep ? [deep] : faults.slice(0, 20)) {
    const code = codes[fault.code] ?? "SOURCE_SYNTAX";
    problems.push({ path: [], code, message: messageOf(fault, source), at: fault.pos[0] });
  }
  const { yaml } = document.directives ?? {};
  if (yaml?.explicit && yaml.version !== "1.2") {
    problems.push({ path: [], code: "SOURCE_VERSION", message: "write YAML 1.2; remove the %YAML line" });
  }
  return problems;
}

function messageOf(fault: { code: string; message: string; pos: [number, number] }, source: string): string {
  if (fault.code === "RESOURCE_EXHAUSTION") return "nested too deeply";
  if (fault.code === "TAB_AS_INDENT") return "tabs cannot indent YAML; use spaces";
  if (fault.code === "NON_STRING_KEY" && !source.startsWith("{{", fault.pos[0] - 1))
    return "keys must be plain text";
  if (fault.code === "TAG_RESOLVE_FAILED") {
    const tag = /![^\s,[\]{}]*/.exec(source.slice(fault.pos[0], fault.pos[1]))?.[0] ?? "that tag";
    return `${tag} is not allowed; write plain YAML without tags`;
  }
  if (fault.code === "MULTIPLE_DOCS") return "holds more than one document; send one flow at a time";
  const lineStart = source.lastIndexOf("\n", fault.pos[0] - 1) + 1;
  const lineEnd = source.indexOf("\n", fault.pos[0]);
  const line = source.slice(lineStart, lineEnd < 0 ? undefined : lineEnd);
  const unquoted = /[:-]\s+\{\{/.test(line);
  return unquoted ? `${fault.message}; put quotes around a value that starts with {{` : fault.message;
}
