/**
 * Points at which a test may kill the process: wherever a crash could lose, double or hide something. What is named
 * `after` has become durable in that moment, and what should follow from it has not happened yet; `in` is in the
 * middle of a transaction. They cost one call of an empty function in production.
 */
export const faultPoints = [
  // a run is accepted, taken, taken over, let in
  "runs.after-start",
  "triggers.after-accept",
  "engine.after-claim",
  "engine.in-takeover",
  "engine.after-takeover",
  "engine.in-admission",
  "engine.after-admission",
  // a step is journaled
  "engine.after-step",
  "engine.after-item",
  "engine.after-retry",
  "engine.after-cache",
  "engine.after-child",
  "engine.after-gate",
  "engine.after-gate-time",
  "engine.after-signal",
  // a run waits, is woken, ends, and what follows from its end
  "engine.before-park",
  "engine.after-park",
  "engine.after-timers",
  "engine.before-wake",
  "engine.after-wake",
  "engine.before-finish",
  "engine.after-finish",
  "engine.after-cancel",
  "engine.after-abandon",
  // an effect is decided, sent, recorded, sent again
  "actions.before-propose",
  "actions.after-propose",
  "actions.after-perform",
  "actions.after-record",
  "actions.after-resend",
  "actions.before-consume",
  "actions.after-consume",
  "actions.before-adopt",
  "actions.after-adopt",
  "actions.after-doubt",
  // an event is handled
  "jobs.before-handle",
  "jobs.after-handle",
  // people and other systems
  "runs.in-order",
  "runs.after-order",
  "runs.in-answer",
  "runs.after-answer",
  "runs.in-signal",
  "runs.after-signal",
  // a connection got a credential that is not stored yet
  "grants.after-obtain",
  // keys of the vault are rotated
  "vault.after-rewrap",
  "vault.after-key",
  "vault.after-reseal",
] as const;

export type FaultPoint = (typeof faultPoints)[number];

export type Fault = (point: FaultPoint) => void;
