/**
 * The life of an action. docs/specs/action.md explains it.
 *
 * X1 nothing leaves before the decision and its receipt are durable.
 * X2 an action with one reservation key is executed once; its effect carries one idempotency key in every attempt.
 * X3 after a crash in mid-call an idempotent effect is sent again with the same key; any other becomes `in_doubt`.
 * X4 a held action runs only with a granted, unexpired approval of its exact digest, consumed in the commit that
 *    starts it, and only if the policy still says so.
 * X5 every decision and every outcome has a receipt in the commit that records it.
 * X7 an action is called off before it is sent or not at all: cancelling, voting and starting have one outcome.
 * X8 what is quarantined is released or rejected by somebody whose action it is not, and only as policy says now.
 * X9 nobody acts in the name of another without a right to it, and a proposal weakens nothing that the catalogue says.
 */
export const actionStates = [
  "proposed",
  "denied",
  "quarantined",
  "pending_approval",
  "approved",
  "executing",
  "completed",
  "failed",
  "in_doubt",
  "rejected",
  "expired",
  "cancelled",
] as const;
export type ActionState = (typeof actionStates)[number];

export type ActionEvent =
  | "deny"
  | "quarantine"
  | "hold"
  | "start"
  | "complete"
  | "fail"
  | "lose"
  | "grant"
  | "reject"
  | "expire"
  | "cancel"
  | "retry";

const none = {
  deny: null,
  quarantine: null,
  hold: null,
  start: null,
  complete: null,
  fail: null,
  lose: null,
  grant: null,
  reject: null,
  expire: null,
  cancel: null,
  retry: null,
} as const;

/** Total: what each event does in each state; null means that it does nothing there. */
export const actionTransitions: Record<ActionState, Record<ActionEvent, ActionState | null>> = {
  proposed: {
    ...none,
    deny: "denied",
    quarantine: "quarantined",
    hold: "pending_approval",
    start: "executing",
  },
  denied: none,
  quarantined: {
    ...none,
    deny: "denied",
    hold: "pending_approval",
    start: "executing",
    reject: "rejected",
    cancel: "cancelled",
  },
  pending_approval: {
    ...none,
    deny: "denied",
    start: "executing",
    grant: "approved",
    reject: "rejected",
    expire: "expired",
    cancel: "cancelled",
  },
  approved: { ...none, deny: "denied", start: "executing", expire: "expired", cancel: "cancelled" },
  executing: { ...none, complete: "completed", fail: "failed", lose: "in_doubt" },
  completed: none,
  failed: { ...none, retry: "executing" },
  in_doubt: { ...none, complete: "completed", fail: "failed", retry: "executing" },
  rejected: none,
  expired: none,
  cancelled: none,
};

/** States in which nothing more happens by itself. */
export const isSettled = (state: ActionState): boolean =>
  state !== "proposed" &&
  state !== "pending_approval" &&
  state !== "approved" &&
  state !== "executing" &&
  state !== "in_doubt";

/** States out of which an action can be called off. */
export const cancellable = actionStates.filter((state) => actionTransitions[state].cancel !== null);

export interface ActionError {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

/** What an approval and a receipt bind to: recomputed from what is about to be sent. */
export interface ActionBinding {
  readonly tenant: string;
  readonly protocol: "rest" | "workflow";
  readonly server: string;
  readonly tool: string;
  readonly tool_def: string;
  readonly operation: string;
  readonly target: string;
  readonly args: unknown;
  readonly principal: string;
  readonly chain: readonly string[];
  readonly env: string;
  /** Those that the proposal named besides the tool's own. */
  readonly data_types?: readonly string[];
}
