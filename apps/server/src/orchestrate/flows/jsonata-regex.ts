/**
 * Regular expressions of flow authors are hostile input: `(a+)+$` can hold the only thread for years.
 * A pattern that cannot backtrack much runs directly; any other runs under V8's own timeout, which
 * costs about 0.15 ms per match and stops inside the match.
 */
import { createContext, Script } from "node:vm";

/** Thrown when one match took longer than its budget. */
export class RegexTimeout extends Error {
  constructor(source: string, ms: number) {
    super(`the regular expression /${source}/ takes longer than ${ms} ms; make it simpler`);
    this.name = "RegexTimeout";
  }
}

const shortSubject = 1_000;
const unbounded = /[*+]|\{\d+,\}/g;

/** True when a match over a subject of this length is linear or too small to matter. */
const isCheap = (source: string, length: number): boolean => {
  const quantifiers = source.match(unbounded)?.length ?? 0;
  return quantifiers === 0 || (quantifiers === 1 && length <= shortSubject);
};

type Guard = <T>(match: () => T, source: string) => T;

/** A RegExp constructor whose `exec` ends after `ms` milliseconds with RegexTimeout. */
export function guardedRegExp(ms: number): RegExpConstructor {
  const guard = createGuard(ms);
  class GuardedRegExp extends RegExp {
    override exec(subject: string): RegExpExecArray | null {
      if (isCheap(this.source, subject.length)) return super.exec(subject);
      return guard(() => super.exec(subject), this.source);
    }
  }
  return GuardedRegExp as unknown as RegExpConstructor; // the evaluator uses `new` and `exec` alone
}

function createGuard(ms: number): Guard {
  let context: { match: () => void } | null = null; // made at the first costly pattern; takes about 1 ms
  const script = new Script("match()");
  return <T>(match: () => T, source: string): T => {
    const found: T[] = [];
    context ??= createContext({ match: () => undefined }) as { match: () => void }; // the object just given
    context.match = () => {
      found.push(match());
    };
    try {
      script.runInContext(context, { timeout: ms });
    } catch (cause) {
      if (isTimeout(cause)) throw new RegexTimeout(source, ms);
      throw cause;
    }
    return found[0] as T; // the script returned, so `match` has pushed
  };
}

const isTimeout = (cause: unknown): boolean =>
  typeof cause === "object" &&
  cause !== null &&
  "code" in cause &&
  cause.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
