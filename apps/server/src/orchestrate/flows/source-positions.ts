/** Where the parts of a definition stand in its source text. */
import type { LineCounter, Scalar } from "yaml";
import type { Path } from "./problems.ts";

/** Line and column, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

interface Spot {
  readonly key?: number;
  readonly value: number;
  readonly scalar?: Scalar;
}

export interface Positions {
  /** The key or the value at `path`, else the nearest part around it that the source has. */
  placeOf(path: Path, on: "key" | "value", offset?: number): Place;
  /** The place of an offset in the source. */
  at(offset: number): Place;
}

export class SourcePositions implements Positions {
  readonly #source: string;
  readonly #lines: LineCounter;
  readonly #spots = new Map<string, Spot>();

  constructor(source: string, lines: LineCounter) {
    this.#source = source;
    this.#lines = lines;
  }

  add(path: Path, spot: Spot): void {
    this.#spots.set(keyOf(path), spot);
  }

  placeOf(path: Path, on: "key" | "value", offset?: number): Place {
    for (let length = path.length; length >= 0; length--) {
      const spot = this.#spots.get(keyOf(path.slice(0, length)));
      if (spot === undefined) continue;
      // a part that is missing is told at the key of what should hold it
      if (on === "key" || length < path.length) return this.at(spot.key ?? spot.value);
      if (offset !== undefined && spot.scalar !== undefined) {
        return this.at(offsetInScalar(this.#source, spot.scalar, offset));
      }
      return this.at(spot.value);
    }
    return { line: 1, column: 1 };
  }

  at(offset: number): Place {
    const { line, col } = this.#lines.linePos(Math.min(offset, this.#source.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

const keyOf = (path: Path): string =>
  path.map((part) => `${typeof part === "number" ? "#" : "."}${part}`).join("\u0000");

/** Source offset of the character at `offset` of a scalar's value; the scalar's start where that is not exact. */
function offsetInScalar(source: string, scalar: Scalar, offset: number): number {
  const [start, end] = scalar.range ?? [0, 0];
  const raw = source.slice(start, end);
  if (scalar.type === "BLOCK_LITERAL") return start + (offsetInBlock(raw, offset) ?? 0);
  if (raw.includes("\n")) return start;
  if (scalar.type === "PLAIN") return start + Math.min(offset, raw.length);
  if (scalar.type !== "QUOTE_DOUBLE" && scalar.type !== "QUOTE_SINGLE") return start;
  let at = 1;
  for (let decoded = 0; decoded < offset && at < raw.length - 1; decoded++) {
    at += scalar.type === "QUOTE_DOUBLE" ? escapeLength(raw, at) : raw.startsWith("''", at) ? 2 : 1;
  }
  return start + at;
}

const escapeLength = (raw: string, at: number): number => {
  if (raw[at] !== "\\") return 1;
  return { x: 4, u: 6, U: 10 }[raw[at + 1] ?? ""] ?? 2;
};

/** A literal block keeps its lines, each behind the indentation of the first one that is not blank. */
function offsetInBlock(raw: string, offset: number): number | undefined {
  const lines = raw.split("\n");
  const header = lines[0] ?? "";
  const first = lines.slice(1).find((line) => line.trim() !== "");
  if (first === undefined || /\d/.test(header)) return undefined;
  const indent = first.length - first.trimStart().length;
  let left = offset;
  let at = header.length + 1;
  for (const line of lines.slice(1)) {
    const content = Math.max(0, line.length - indent);
    if (left <= content) return at + indent + left;
    left -= content + 1;
    at += line.length + 1;
  }
  return undefined;
}
