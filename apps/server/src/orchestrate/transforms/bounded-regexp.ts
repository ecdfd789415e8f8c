import { type Context, createContext, Script } from "node:vm";

/** The part of RegExp that JSON Schema needs. */
export interface Pattern {
  test(text: string): boolean;
  /** `/source/flags`: ajv tells patterns apart by this text. */
  toString(): string;
}

/** Thrown when a pattern needed more than its time. */
export class PatternTimeout extends Error {
  constructor(source: string) {
    super(`the pattern ${source.slice(0, 80)} took too long`);
    this.name = "PatternTimeout";
  }
}

/** Steps of backtracking that take about a millisecond. */
const cheapSteps = 1_000_000;
const script = new Script("pattern.test(text)", { filename: "pattern" });

/**
 * A regular expression that cannot block the process: one that could backtrack without bound runs under
 * a watchdog of `timeoutMs` (about 0.2 ms a test). A pattern of bounded work on this text needs none.
 */
export function createPattern(source: string, flags: string, timeoutMs = 250): Pattern {
  const pattern = new RegExp(source, flags);
  let context: Context | undefined; // made on first need; takes about a millisecond
  const degree = backtrackDegree(source);
  return {
    toString: () => String(pattern),
    test(text) {
      if (text.length ** degree <= cheapSteps) return pattern.test(text);
      context ??= createContext(Object.assign(Object.create(null), { pattern, text }));
      context.text = text;
      try {
        return script.runInContext(context, { timeout: timeoutMs }) === true;
      } catch (error) {
        throw isTimeout(error) ? new PatternTimeout(source) : error;
      }
    },
  };
}

/** The error belongs to the context that was stopped, so it is known by its code, not its class. */
const isTimeout = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  "code" in error &&
  error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";

/**
 * The exponent k for which matching a text of n characters takes n^k steps at most, or Infinity where a
 * repeated group, a back reference or look-around makes that unknown.
 */
export function backtrackDegree(source: string): number {
  const bare = source.replace(/\\[^1-9k]/g, "x").replace(/\[[^\]]*\]/g, "x");
  if (/\\|\(\?[=!<]|\)[*+?{]/.test(bare)) return Number.POSITIVE_INFINITY;
  const openEnded = (bare.match(/[*+]|\{[0-9]+,[0-9]*\}/g) ?? []).length;
  return openEnded + (bare.startsWith("^") && !bare.includes("|") ? 0 : 1);
}
