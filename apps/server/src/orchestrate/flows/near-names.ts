/** "Did you mean …": the known name nearest to a mistyped one. */

/** Edits (insert, delete, replace, swap of neighbours) between two short texts. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, at(beforeLast, j - 2) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return at(last, b.length);
}

const at = (row: readonly number[], index: number): number => row[index] ?? 0;

/** The nearest of `known`, or undefined when none is near enough to be what was meant. */
export function nearName(name: string, known: Iterable<string>): string | undefined {
  const asked = name.slice(0, 80).toLowerCase();
  let best: string | undefined;
  let bestDistance = (asked.length < 2 ? 0 : Math.max(1, Math.floor(asked.length / 3))) + 1;
  for (const candidate of known) {
    const text = candidate.toLowerCase();
    const contains = asked.length >= 3 && (text.startsWith(asked) || text.endsWith(asked));
    const distance = contains ? 1 : editDistance(asked, text.slice(0, 80));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean "x"?` or nothing: made to be put behind a sentence. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const near = nearName(name, known);
  return near === undefined ? "" : ` Did you mean "${near}"?`;
}
