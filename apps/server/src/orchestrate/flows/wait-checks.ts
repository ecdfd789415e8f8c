/** Checks of `use: wait` that its kind cannot do, because it sees no expressions: what must be written out, and in which combination. */
import { type DraftStep, holdsPlaceholder, kindName, objectOf } from "./draft.ts";
import type { Problem } from "./problems.ts";

const ways = ["for", "until", "signal"] as const;

export function checkWait(step: DraftStep): Problem[] {
  const config = objectOf(step.config ?? {});
  if (kindName(step) !== "wait" || config === null) return [];
  const problems: Problem[] = [];
  const path = ["steps", step.name, "with"];
  const chosen = ways.filter((way) => config[way] !== undefined);
  if (chosen.length !== 1) {
    const message = `must have exactly one of for, until and signal${chosen.length > 1 ? `, not ${chosen.join(" and ")}` : ""}`;
    problems.push({ path, code: "WAIT_MODE", message, on: "key" });
  }
  for (const field of ["timeout", "schema"]) {
    if (config[field] === undefined || config.signal !== undefined) continue;
    const message = "belongs to a wait for a signal";
    problems.push({ path: [...path, field], code: "WAIT_SIGNAL_ONLY", message, on: "key" });
  }
  for (const field of ["signal", "schema"]) {
    if (!holdsPlaceholder(config[field])) continue;
    const message = "must be written out: senders of signals are checked against it";
    problems.push({ path: [...path, field], code: "SIGNAL_NOT_LITERAL", message });
  }
  const { schema } = config;
  if (schema !== undefined && objectOf(schema) === null && typeof schema !== "boolean") {
    const message = "must be a JSON Schema: an object";
    problems.push({ path: [...path, "schema"], code: "SIGNAL_SCHEMA", message });
  }
  return problems;
}
