import type { TrustDocument, TrustItem } from "@oars/receipts";

export type TrustKey = TrustItem;
export type { TrustDocument };

/** Ids are UUIDs. `from` is included, `to` is not. */
export interface ListFilter {
  readonly runId?: string | null;
  readonly actionId?: string | null;
  readonly principalId?: string | null;
  readonly type?: string | null;
  readonly tool?: string | null;
  readonly effect?: string | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

/** `cursor` is the id of the last receipt of the page before; `limit` is 1 to 500. */
export interface ListPage {
  readonly limit: number;
  readonly cursor?: string | null;
  readonly order?: "newest" | "oldest";
}

/** A receipt as it is kept. The signed body is inside `jws`. */
export interface StoredReceipt {
  readonly id: string;
  readonly type: string;
  readonly runId: string | null;
  readonly actionId: string | null;
  readonly principalId: string | null;
  readonly tool: string | null;
  readonly effect: string | null;
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
