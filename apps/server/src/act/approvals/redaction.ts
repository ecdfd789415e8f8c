/** What an approver sees of an action's arguments, and what changed in them since an earlier try. Pure. */

const secretName =
  /pass(word|wd|phrase)?$|secret|token|api[-_]?key|authorization|credential|private[-_]?key|cookie|^pin$|cvv|iban/i;
const hidden = "[hidden]";
const deepest = 32;

/** Values under names that sound secret are hidden, at any depth; so are those under `more`, given as `a.b.c`. */
export function redacted(value: unknown, more: readonly string[] = [], path = "", depth = 0): unknown {
  if (depth > deepest) return hidden;
  if (Array.isArray(value)) return value.map((item) => redacted(item, more, path, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const at = path === "" ? name : `${path}.${name}`;
      const sounds = secretName.test(name) && inner !== null && typeof inner !== "object";
      const hide = sounds || more.includes(name) || more.includes(at);
      return [name, hide ? hidden : redacted(inner, more, at, depth + 1)];
    }),
  );
}

export interface Difference {
  /** As in `body.lines.0.amount`. */
  readonly path: string;
  /** Absent where there was nothing. */
  readonly before?: unknown;
  readonly after?: unknown;
}

const mostDifferences = 100;

/** What is different, leaf by leaf; at most 100. */
export function differences(before: unknown, after: unknown): Difference[] {
  const found: Difference[] = [];
  walk(before, after, "", found);
  return found;
}

function walk(before: unknown, after: unknown, path: string, found: Difference[]): void {
  if (found.length >= mostDifferences || Object.is(before, after)) return;
  if (isBranch(before) && isBranch(after) && Array.isArray(before) === Array.isArray(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const name of names) {
      const at = path === "" ? name : `${path}.${name}`;
      walk(before[name], after[name], at, found);
    }
    return;
  }
  found.push({
    path,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  });
}

const isBranch = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
