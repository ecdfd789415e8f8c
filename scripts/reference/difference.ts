export interface Difference {
  /** From 1. */
  readonly line: number;
  readonly has: string;
  readonly should: string;
}

/** Where two texts part, line by line; undefined when they are the same. */
export function firstDifference(has: string, should: string): Difference | undefined {
  if (has === should) return undefined;
  const [left, right] = [has.split("\n"), should.split("\n")];
  let i = 0;
  while (i < left.length && left[i] === right[i]) i += 1;
  const show = (line: string | undefined): string =>
    line === undefined ? "(end of file)" : JSON.stringify(line);
  return { line: i + 1, has: show(left[i]), should: show(right[i]) };
}
