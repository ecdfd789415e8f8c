import type { ReceiptBody } from "./body.ts";
import type { Json } from "./canonical.ts";

/** `absent`: there was nothing to check. `undecidable`: what is needed to check it is not here. */
export interface Check {
  readonly status: "ok" | "failed" | "absent" | "undecidable";
  readonly detail: string;
}

export const checkNames = [
  "signature",
  "canonicalForm",
  "schema",
  "inclusion",
  "checkpoint",
  "consistency",
  "disclosures",
  "witness",
] as const;

export type CheckName = (typeof checkNames)[number];
export type Checks = Readonly<Record<CheckName, Check>>;

export type Verdict = "verified" | "tampered" | "undecidable";

export interface ReceiptReport {
  readonly verdict: Verdict;
  /** 0 verified, 1 proven tampering, 2 cannot decide. */
  readonly exitCode: 0 | 1 | 2;
  readonly checks: Checks;
  /** As the signed body states them; undefined when it cannot be read. Trust them only when verified. */
  readonly receiptId: string | undefined;
  readonly body: ReceiptBody | undefined;
  /** Disclosed members that belong to the body. */
  readonly disclosed: Readonly<Record<string, Json>>;
  readonly keyId: string | undefined;
  /** The tenant whose key signed. */
  readonly tenantId: string | undefined;
  readonly leafIndex: number | undefined;
  readonly treeSize: number | undefined;
}

export const ok = (detail: string): Check => ({ status: "ok", detail });
export const failed = (detail: string): Check => ({ status: "failed", detail });
export const absent = (detail: string): Check => ({ status: "absent", detail });
export const undecidable = (detail: string): Check => ({ status: "undecidable", detail });

/** One failed check proves tampering, whatever else could not be decided. The signature must be decided. */
export function verdictOf(checks: Checks): Verdict {
  const all = Object.values(checks);
  if (all.some((check) => check.status === "failed")) return "tampered";
  if (all.some((check) => check.status === "undecidable")) return "undecidable";
  return checks.signature.status === "ok" ? "verified" : "undecidable";
}

export const exitCodes = { verified: 0, tampered: 1, undecidable: 2 } as const satisfies Record<
  Verdict,
  number
>;

/** The exit code for several receipts: tampering wins, then doubt; no receipts at all is doubt. */
export function worstExit(codes: readonly (0 | 1 | 2)[]): 0 | 1 | 2 {
  if (codes.includes(1)) return 1;
  return codes.length === 0 || codes.includes(2) ? 2 : 0;
}
