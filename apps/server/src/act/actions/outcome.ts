/** What of an output is kept and given: without the fields that the tool's settings name, and within a size. */
import type { OperationOutcome } from "#act/connectors";
import type { Json } from "#platform/kernel";

const removed = "[removed]";

/** Every field of one of the names, at any depth and regardless of case, has its value replaced. */
export function redact(value: Json, names: readonly string[]): Json {
  if (names.length === 0) return value;
  const hidden = new Set(names.map((name) => name.toLowerCase()));
  const clean = (part: Json): Json => {
    if (Array.isArray(part)) return part.map(clean);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(
      Object.entries(part).map(([name, inner]) => [
        name,
        hidden.has(name.toLowerCase()) ? removed : clean(inner),
      ]),
    );
  };
  return clean(value);
}

const headLength = 2_000;

/** An output that is larger than the cap is kept as its size and its beginning. */
export function capped(output: Json, maxBytes: number): Json {
  const text = JSON.stringify(output);
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return output;
  return { truncated: true, bytes, limit: maxBytes, head: text.slice(0, headLength).toWellFormed() };
}

/** `maxBytes` null: the output goes on into a run, which has bounds of its own. */
export function keptOf(
  outcome: OperationOutcome,
  names: readonly string[],
  maxBytes: number | null,
): OperationOutcome {
  if (outcome.status !== "completed") return outcome;
  const output = redact(outcome.output, names);
  return { ...outcome, output: maxBytes === null ? output : capped(output, maxBytes) };
}
