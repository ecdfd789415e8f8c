/** The receipts of what is done to policies: publications, grants, modes. */
import type { Caller } from "#platform/access";
import type { WriteSet } from "#platform/db";
import { formatId } from "#platform/kernel";
import type { PolicyVersion } from "./domain.ts";

/** All that this room needs of `sign/receipts`. */
export interface ReceiptSink {
  add(into: WriteSet, receipt: PolicyReceipt): Promise<unknown>;
}

export type PolicyReceiptType =
  | "policy.published"
  | "policy.rolled_back"
  | "policy.mode_changed"
  | "policy.granted"
  | "policy.grant_revoked"
  | "policy.replayed";

export interface PolicyReceipt {
  readonly tenantId: string;
  readonly type: PolicyReceiptType;
  readonly principal: {
    readonly id: string;
    readonly kind: "user" | "agent" | "service";
    readonly ownerId: string | null;
  };
  readonly decision: {
    readonly effect: "allow";
    readonly reasons: readonly string[];
    readonly policy?: {
      readonly bundle: string;
      readonly version: string;
      readonly engine: string;
      readonly schema: string;
    };
    readonly mode: "enforce" | "shadow";
    readonly message: string;
  };
  readonly disclose?: Readonly<Record<string, unknown>>;
}

export interface Said {
  readonly type: PolicyReceiptType;
  readonly permission: string;
  readonly message: string;
  readonly mode?: "shadow";
  readonly policy?: NonNullable<PolicyReceipt["decision"]["policy"]>;
  readonly disclose?: Readonly<Record<string, unknown>>;
}

export const policyReceipt = (caller: Caller, said: Said): PolicyReceipt => ({
  tenantId: caller.tenantId,
  type: said.type,
  principal: { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId },
  decision: {
    effect: "allow",
    reasons: [said.permission],
    ...(said.policy ? { policy: said.policy } : {}),
    mode: said.mode ?? "enforce",
    message: said.message,
  },
  ...(said.disclose ? { disclose: said.disclose } : {}),
});

export const policyOf = (
  version: Pick<PolicyVersion, "version" | "digest">,
  schema: string,
  engine: string,
): NonNullable<PolicyReceipt["decision"]["policy"]> => ({
  bundle: version.digest,
  version: String(version.version),
  engine,
  schema,
});

/** `Policy pol_…, version 3, in place of version 2.` */
export function publicationMessage(
  version: Pick<PolicyVersion, "id" | "version">,
  replaced: number | null,
): string {
  const instead = replaced === null ? "the first to be published" : `in place of version ${replaced}`;
  return `Policy ${formatId("policy", version.id)}, version ${version.version}, ${instead}.`;
}
