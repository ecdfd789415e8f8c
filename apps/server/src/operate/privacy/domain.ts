/**
 * Privacy: holds, retention and erasure.
 *
 * P1 an erasure destroys the person's key with the receipt of it, in one transaction; what is left is cleaning up.
 * P2 nothing under a hold is erased or retired, also not by an erasure that races with the hold.
 * P3 retention goes by the database's clock, and no caller can name a time.
 * P4 receipts, their signatures and proofs stay valid whatever is erased.
 * P5 an interrupted erasure is completed by another process.
 */
export const holdScopes = ["tenant", "run", "action", "subject"] as const;
export type HoldScope = (typeof holdScopes)[number];

export interface Hold {
  readonly id: string;
  readonly scope: HoldScope;
  /** UUID of the run or action, or the subject; empty for the tenant. */
  readonly ref: string;
  readonly reason: string;
  readonly placedBy: string;
  readonly placedAt: Date;
  readonly releasedBy: string | null;
  readonly releasedAt: Date | null;
}

export interface RetentionRule {
  /** A receipt type, or `*` for all without a rule of their own. */
  readonly type: string;
  /** Days until the signed text goes; null for never. Hashes and checkpoints stay. */
  readonly bodyDays: number | null;
  /** Days until the sensitive members go; null for never. */
  readonly disclosureDays: number | null;
}

export interface Erasure {
  readonly id: string;
  readonly state: "erasing" | "completed";
  readonly counts: Readonly<Record<string, number>>;
  readonly requestedBy: string;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
}

/** What is left to clean up: the principals that acted for the person. */
export interface PendingErasure {
  /** The key that was destroyed, if there was one. */
  readonly keyId: string | null;
  readonly principals: readonly string[];
}
