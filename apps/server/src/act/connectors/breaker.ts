/**
 * Leaves a system alone that fails again and again. Owns: whether calls on a connection go out now, as this process
 * sees it. B1 after so many failures in a row nothing goes out for a while; B2 then one call is let through, and its
 * end decides; B3 an answer of any kind is no failure unless it says that the system is out of order (502, 503, 504).
 */
import type { OperationOutcome } from "#act/connector-kit";

export interface BreakerState {
  readonly state: "closed" | "open" | "half_open";
  /** Failures in a row. */
  readonly failures: number;
  /** Code of the last failure in the row. */
  readonly lastCode: string | null;
  /** Milliseconds until the next call is let through; 0 when it is. */
  readonly retryMs: number;
}

export interface Breaker {
  /** Milliseconds to wait, or 0: the call may go out, and must be told of with `ended`. */
  enter(key: string): number;
  ended(key: string, outcome: OperationOutcome): void;
  state(key: string): BreakerState;
}

export interface BreakerRules {
  /** Failures in a row that open it; 0: it never opens. */
  readonly failures: number;
  readonly openMs: number;
}

interface Entry {
  failures: number;
  lastCode: string | null;
  openUntil: number;
  /** A call is on its way to find out; until then, so that one which never ends holds nobody up for ever. */
  probeUntil: number;
}

const mostEntries = 10_000;
const closed: BreakerState = { state: "closed", failures: 0, lastCode: null, retryMs: 0 };

export function createBreaker(rules: BreakerRules, now: () => number = () => performance.now()): Breaker {
  const entries = new Map<string, Entry>();
  const isOpen = (entry: Entry): boolean => rules.failures > 0 && entry.failures >= rules.failures;

  const fail = (key: string, code: string): void => {
    const entry = entries.get(key) ?? { failures: 0, lastCode: null, openUntil: 0, probeUntil: 0 };
    entry.failures += 1;
    entry.lastCode = code;
    if (isOpen(entry)) entry.openUntil = now() + rules.openMs;
    entry.probeUntil = 0;
    const oldest = entries.size >= mostEntries ? entries.keys().next().value : undefined;
    if (oldest !== undefined && !entries.has(key)) entries.delete(oldest);
    entries.set(key, entry);
  };

  return {
    enter(key) {
      const entry = entries.get(key);
      if (entry === undefined || !isOpen(entry)) return 0;
      const wait = Math.max(entry.openUntil, entry.probeUntil) - now();
      if (wait > 0) return wait;
      entry.probeUntil = now() + rules.openMs;
      return 0;
    },
    ended(key, outcome) {
      const code = failureOf(outcome);
      if (code !== undefined) return fail(key, code);
      if (code === undefined && !saysNothing(outcome)) entries.delete(key);
    },
    state(key) {
      const entry = entries.get(key);
      if (entry === undefined) return closed;
      const { failures, lastCode } = entry;
      if (!isOpen(entry)) return { state: "closed", failures, lastCode, retryMs: 0 };
      const retryMs = Math.max(0, Math.ceil(entry.openUntil - now()));
      return { state: retryMs > 0 ? "open" : "half_open", failures, lastCode, retryMs };
    },
  };
}

const broken = new Set(["NET_UNREACHABLE", "NET_TIMEOUT", "NET_RESET", "NET_RESPONSE_INVALID"]);
const outOfOrder = new Set([502, 503, 504]);

function failureOf(outcome: OperationOutcome): string | undefined {
  if (outcome.status === "completed") return undefined;
  const { code } = outcome.error;
  if (broken.has(code)) return code;
  return outcome.status === "failed" && outOfOrder.has(outcome.http ?? 0) ? code : undefined;
}

/** Nothing was heard of the system itself: a secret is missing, the caller gave up, an address is refused. */
const saysNothing = (outcome: OperationOutcome): boolean =>
  outcome.status !== "completed" && !("http" in outcome && outcome.http !== undefined);
