/**
 * Step names may hold dashes, which JSONata reads as minus. A step is an object, so subtracting from
 * `steps.name` never makes sense: `steps.fetch-order.output` becomes steps.`fetch-order`.output.
 */

export interface Quoted {
  readonly source: string;
  /** The offset in the original text of an offset in `source`. */
  originalOffset(offset: number): number;
}

const token =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\/\*[\s\S]*?\*\/|(?<![\w`]|[^$]\.)(steps\s*\.\s*)([A-Za-z][\w-]*-[\w-]*)/g;

export function quoteStepNames(original: string): Quoted {
  if (!original.includes("steps") || !original.includes("-")) {
    return { source: original, originalOffset: (offset) => offset };
  }
  const inserted: number[] = [];
  const source = original.replace(token, (whole, lead?: string, name?: string, at?: number) => {
    if (lead === undefined || name === undefined || at === undefined) return whole;
    const start = at + lead.length + inserted.length;
    inserted.push(start, start + name.length + 1);
    return `${lead}\`${name}\``;
  });
  return { source, originalOffset: (offset) => offset - inserted.filter((at) => at < offset).length };
}
