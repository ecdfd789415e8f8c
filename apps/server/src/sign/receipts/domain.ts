import type { TrustDocument, TrustItem } from "@oars/receipts";
import type { Sql } from "#platform/db";

export type TrustKey = TrustItem;
export type { TrustDocument };

/** Ids are UUIDs. `from` is included, `to` is not. All that is given must hold. */
export interface ListFilter {
  readonly runId?: string | null;
  readonly actionId?: string | null;
  /** Who acted: agent, service or user. */
  readonly principalId?: string | null;
  /** Who acted or on whose behalf. */
  readonly actorId?: string | null;
  readonly type?: string | null;
  readonly tool?: string | null;
  readonly operation?: string | null;
  readonly target?: string | null;
  readonly effect?: string | null;
  /** Digest of the policy bundle that decided. */
  readonly policy?: string | null;
  readonly policyVersion?: string | null;
  /** A rule that determined the decision. */
  readonly rule?: string | null;
  /** A condition on `id` that a room above makes. */
  readonly also?: Sql | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

/** `cursor` is the id of the last receipt of the page before; `limit` is 1 to 500. */
export interface ListPage {
  readonly limit: number;
  readonly cursor?: string | null;
  readonly order?: "newest" | "oldest";
}

/**
 * `next` is where the list goes on. A page may hold fewer than asked for, even none, and have a `next`: a search for
 * what has no index looks at a bounded number of receipts at a time, and misses none.
 */
export interface ReceiptPage {
  readonly items: StoredReceipt[];
  readonly next: string | null;
}

/** A receipt as it is kept. The signed body is inside `jws`. */
export interface StoredReceipt {
  readonly id: string;
  readonly type: string;
  readonly runId: string | null;
  readonly actionId: string | null;
  readonly principalId: string | null;
  /** The person for whom the principal acted; the principal itself when it is a person. */
  readonly userId: string | null;
  readonly tool: string | null;
  readonly operation: string | null;
  readonly target: string | null;
  readonly effect: string | null;
  readonly policy: string | null;
  readonly policyVersion: string | null;
  readonly rules: readonly string[];
  readonly jws: string;
  /** Sealed disclosures; null when there are none or they were erased. */
  readonly sealed: Uint8Array | null;
  readonly createdAt: Date;
}

/** Public form of a key for a JWKS document (RFC 7517). */
export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
  readonly alg: "Ed25519";
  readonly use: "sig";
  /** When it was made, as NumericDate; the times below too. */
  readonly nbf: number;
  readonly status: TrustItem["status"];
  readonly retired_at?: number;
  readonly revoked_at?: number;
  readonly reason?: string;
  readonly max_tree_size?: number;
}
