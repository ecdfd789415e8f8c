export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

/** Line and column (both from 1; columns in UTF-16 units) of an offset. CRLF, LF and CR end a line. */
export function positionAt(text: string, offset: number): SourcePosition {
  let line = 1;
  let start = 0;
  const breaks = /\r\n|\n|\r/g;
  for (let found = breaks.exec(text); found !== null; found = breaks.exec(text)) {
    if (breaks.lastIndex > offset) break;
    line++;
    start = breaks.lastIndex;
  }
  return { line, column: offset - start + 1 };
}

export const describePosition = ({ line, column }: SourcePosition): string =>
  `line ${line}, column ${column}`;
