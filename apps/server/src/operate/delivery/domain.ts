/** What is sent to other systems, and what becomes of it. */
import type { Severity, ShownEvent } from "#platform/events";
import type { Json } from "#platform/kernel";

export type TargetState = "active" | "paused" | "retired";
export type Purpose = "siem" | "alerts";
export type Format = "native" | "ocsf" | "cef" | "cloudevents";

/** An alert as channels get it. Ids as the API shows them. */
export interface AlertNotice {
  readonly notice: "opened" | "escalated" | "resolved" | "test";
  readonly id: string;
  readonly tenantId: string;
  /** What alerts of the same cause share. */
  readonly key: string;
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly count: number;
  /** Where to read on. */
  readonly link: string;
  readonly openedAt: string;
  readonly lastAt: string;
  readonly details: Readonly<Record<string, Json>>;
}

export type Payload =
  | { readonly kind: "event"; readonly event: ShownEvent }
  | { readonly kind: "alert"; readonly alert: AlertNotice };

/** One thing to send. `id` is the same in every attempt: a receiver knows repetitions by it. */
export interface Item {
  readonly id: string;
  readonly payload: Payload;
}

/**
 * `unavailable`: the target may take it later. `refused`: it will not take this, however often it comes; of several
 * items it is not known which.
 */
export type Sent =
  | { readonly kind: "delivered" }
  | { readonly kind: "unavailable"; readonly message: string; readonly retryAfterMs?: number | undefined }
  | { readonly kind: "refused"; readonly message: string };

export interface RetryRule {
  readonly baseMs: number;
  readonly maxAttempts: number;
}

/** After that many failures in a row a target is left alone for a while, and then tried with one item. */
export const circuitAfter = 3;
const longestMs = 300_000;

/** Exponential from `baseMs`, up to 5 min, less up to a quarter by chance, never less than the target asked for. */
export function retryDelay(rule: RetryRule, attempts: number, askedMs = 0, random = Math.random()): number {
  const full = Math.min(longestMs, rule.baseMs * 2 ** Math.min(20, Math.max(0, attempts - 1)));
  return Math.max(Math.min(askedMs, 3_600_000), Math.round(full * (1 - random / 4)));
}
