/**
 * Hostile input enters here: the Cedar text of a tenant, cut into its policies before any parser sees it.
 * Brackets deeper than `maxDepth` end the engine's stack, so they are counted here; the tree of each policy
 * is bounded again after parsing (see lint.ts).
 */
import type { FieldProblem } from "#platform/kernel";

export const limits = {
  bundleBytes: 1024 * 1024,
  policies: 2_000,
  policyLength: 16 * 1024,
  depth: 32,
  cases: 500,
} as const;

/** One policy as it stands in the bundle, annotations to semicolon. `start` counts UTF-16 units. */
export interface PolicyText {
  readonly text: string;
  readonly start: number;
}

export interface Cut {
  readonly policies: readonly PolicyText[];
  readonly problems: readonly FieldProblem[];
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

// It never has to go back, so its time is linear in a hostile text.
// A comment, a string (closed or not), a bracket, a semicolon, or a run of anything else that is not space.
const token = /\/\/[^\n\r]*|"(?:[^"\\]|\\(?:.|$))*(?:"|$)|[()[\]{}]|;|[^\s"()[\]{};/]+|\//gsu;

/** Cuts a text at its semicolons. A policy that is too long or too deep is a problem and left out. */
export function cutPolicies(text: string): Cut {
  const policies: PolicyText[] = [];
  const problems: FieldProblem[] = [];
  const place = placesIn(text);
  if (Buffer.byteLength(text) > limits.bundleBytes)
    return refuse("POLICY_TEXT_LIMIT", `The text is larger than ${limits.bundleBytes} bytes.`);
  if (text.includes("\0") || !text.isWellFormed())
    return refuse("POLICY_TEXT_CHARACTERS", "The text holds NUL or half of a surrogate pair; remove it.");

  let start = -1;
  let depth = 0;
  let deepest = 0;
  let deepestAt = 0;
  const close = (end: number): void => {
    const policy = { text: text.slice(start, end), start };
    const at = place(deepest > limits.depth ? deepestAt : start);
    if (deepest > limits.depth)
      problems.push(
        problem("POLICY_DEPTH", `Brackets are nested deeper than ${limits.depth}; split the policy.`, at),
      );
    else if (policy.text.length > limits.policyLength)
      problems.push(
        problem(
          "POLICY_LENGTH",
          `The policy is longer than ${limits.policyLength} characters; split it.`,
          at,
        ),
      );
    else policies.push(policy);
    start = -1;
    depth = 0;
    deepest = 0;
  };
  let count = 0;
  let end = 0;
  for (const match of text.matchAll(token)) {
    const found = match[0];
    if (found.startsWith("//")) continue;
    if (start < 0) start = match.index;
    end = match.index + found.length;
    if ("([{".includes(found)) {
      depth += 1;
      if (depth > deepest) {
        deepest = depth;
        if (depth === limits.depth + 1) deepestAt = match.index;
      }
    } else if (")]}".includes(found)) depth -= 1;
    else if (found === ";") {
      count += 1;
      if (count > limits.policies)
        return refuse(
          "POLICY_LIMIT",
          `There are more than ${limits.policies} policies; merge them or move lists into sets.`,
        );
      close(end);
    }
  }
  if (start >= 0) close(end);
  return { policies, problems };
}

const problem = (code: string, message: string, at: Place): FieldProblem => ({
  path: "cedar",
  code,
  message,
  ...at,
});

const refuse = (code: string, message: string): Cut => ({
  policies: [],
  problems: [{ path: "cedar", code, message }],
});

/** Line and column, both from 1, of a UTF-16 offset. Lines are found once, so that many look-ups are cheap. */
export function placesIn(text: string): (offset: number) => Place {
  const starts = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

/** The engine counts UTF-8 bytes; editors count UTF-16 units. */
export const unitsOf = (text: string, bytes: number): number =>
  Buffer.from(text, "utf8").subarray(0, bytes).toString("utf8").length;
