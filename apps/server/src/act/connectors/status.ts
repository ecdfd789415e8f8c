import type { GrantRow, GrantSpec } from "#act/connector-auth";
import type { BreakerState } from "./breaker.ts";

/** How the credential stands that a connection obtains for itself. Never the credential. */
export interface CredentialStatus {
  readonly kind: "token" | "cookies";
  readonly state: "none" | "valid" | "expired" | "failing" | "authorization_needed";
  readonly validUntil: Date | null;
  readonly lastRefreshAt: Date | null;
  readonly lastErrorCode: string | null;
  readonly lastErrorAt: Date | null;
  readonly nextAttemptAt: Date | null;
}

export interface ConnectionStatus {
  /** Null: the connection obtains none. */
  readonly credential: CredentialStatus | null;
  /** As this process sees it. */
  readonly circuit: BreakerState;
}

export function credentialStatus(
  spec: GrantSpec | undefined,
  row: GrantRow | undefined,
  digest: string | undefined,
): CredentialStatus | null {
  if (spec === undefined) return null;
  const mine = row !== undefined && row.digest === digest ? row : undefined;
  const byConsent = spec.kind === "token" && spec.oauth2.grant === "authorization_code";
  return {
    kind: spec.kind,
    state: stateOf(mine, byConsent),
    validUntil: mine?.validUntil ?? null,
    lastRefreshAt: mine?.obtainedAt ?? null,
    lastErrorCode: mine?.lastError ?? null,
    lastErrorAt: mine?.lastErrorAt ?? null,
    nextAttemptAt: (mine?.retryMs ?? 0) > 0 ? (mine?.retryAt ?? null) : null,
  };
}

function stateOf(row: GrantRow | undefined, byConsent: boolean): CredentialStatus["state"] {
  if (row?.needsPerson || (byConsent && row?.sealed == null)) return "authorization_needed";
  const held = row?.sealed != null && (row.leftMs === null || row.leftMs > 0);
  if (held) return "valid";
  if ((row?.failures ?? 0) > 0) return "failing";
  return row?.sealed == null ? "none" : "expired";
}
