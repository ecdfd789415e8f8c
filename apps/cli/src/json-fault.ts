/** Where a text stops being JSON (RFC 8259): the engine's own parser does not always say. */
export interface JsonFault {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const space = /[ \t\n\r]*/y;
const string = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|[\u007f-\u009f])*"/uy;
const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

/** The first fault, or undefined for a text that is JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  let at = 0;
  const takes = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.test(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const takesChar = (char: string): boolean => {
    takes(space);
    const found = text[at] === char;
    if (found) at += 1;
    return found;
  };
  const stringFault = (what: string): string | undefined => {
    if (takes(string)) return undefined;
    return text[at] === '"'
      ? "this text is not closed, or has a character that must be escaped"
      : `${what} must stand here`;
  };
  const member = (): string | undefined => {
    takes(space);
    const name = stringFault("a name in double quotes");
    if (name !== undefined) return name;
    return takesChar(":") ? value() : "a colon must stand here";
  };
  const list = (close: string, item: () => string | undefined): string | undefined => {
    if (takesChar(close)) return undefined;
    for (;;) {
      const fault = item();
      if (fault !== undefined) return fault;
      if (takesChar(close)) return undefined;
      if (!takesChar(",")) return `a comma or ${close} must stand here`;
    }
  };
  const value = (): string | undefined => {
    if (takesChar("{")) return list("}", member);
    if (takesChar("[")) return list("]", value);
    return takes(scalar) ? undefined : stringFault("a value");
  };
  const fault = value() ?? (takes(space) && at < text.length ? "nothing may follow the value" : undefined);
  if (fault === undefined) return undefined;
  const before = text.slice(0, at).split("\n");
  const message = at >= text.length ? `the text ends, and ${fault}` : fault;
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, message };
}
