/** The receipt of a publication. */
import type { Caller } from "#platform/access";
import type { WriteSet } from "#platform/db";
import { formatId } from "#platform/kernel";
import type { Bundle, PolicyVersion } from "./domain.ts";

/** All that this room needs of `sign/receipts`. */
export interface ReceiptSink {
  add(into: WriteSet, receipt: PublishedReceipt): Promise<unknown>;
}

export interface PublishedReceipt {
  readonly tenantId: string;
  readonly type: "policy.published";
  readonly principal: {
    readonly id: string;
    readonly kind: "user" | "agent" | "service";
    readonly ownerId: string | null;
  };
  readonly decision: {
    readonly effect: "allow";
    readonly reasons: readonly string[];
    readonly policy: {
      readonly bundle: string;
      readonly version: string;
      readonly engine: string;
      readonly schema: string;
    };
    readonly mode: "enforce";
    readonly message: string;
  };
}

export function publishedReceipt(
  caller: Caller,
  version: Pick<PolicyVersion, "id" | "version">,
  bundle: Bundle,
  engine: string,
  replaced: number | null,
): PublishedReceipt {
  const instead = replaced === null ? "the first to be published" : `in place of version ${replaced}`;
  return {
    tenantId: caller.tenantId,
    type: "policy.published",
    principal: { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId },
    decision: {
      effect: "allow",
      reasons: ["policies:publish"],
      policy: {
        bundle: bundle.digest,
        version: String(version.version),
        engine,
        schema: bundle.schema,
      },
      mode: "enforce",
      message: `Policy ${formatId("policy", version.id)}, version ${version.version}, ${instead}.`,
    },
  };
}
