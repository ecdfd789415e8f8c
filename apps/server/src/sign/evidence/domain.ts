import type { ControlFilter, EvidenceKind, PackControl } from "@oars/receipts";
import { evidenceKinds } from "@oars/receipts";

/** Which receipts are evidence for a control. A version never changes; the newest one of a control counts. */
export interface ControlMapping extends PackControl {
  readonly id: string;
  readonly source: "catalogue" | "tenant";
  readonly createdBy: string | null;
  readonly createdAt: Date;
  readonly replacedAt: Date | null;
  /** The leaf of the log up to which receipts were compared with it. */
  readonly taggedTo: number;
}

export interface MappingInput {
  readonly framework: string;
  readonly controlId: string;
  readonly title?: string | undefined;
  readonly controlDescription: string;
  readonly requiredNodeTypes: readonly EvidenceKind[];
  readonly receiptFilters?: ControlFilter | undefined;
  readonly freshnessDays?: number | null | undefined;
  readonly threshold?: number | undefined;
}

/** Values trimmed, without repetitions, in order; lists without a value ask for nothing and are left out. */
export function tidyFilters(filters: ControlFilter): ControlFilter {
  const tidy = Object.entries(filters).flatMap(([name, values]: [string, readonly string[] | undefined]) => {
    const kept = [...new Set((values ?? []).map((v) => v.trim()).filter(Boolean))].sort();
    return kept.length > 0 ? [[name, kept] as const] : [];
  });
  return Object.fromEntries(tidy);
}

/** Bit n is kind n of `evidenceKinds`. */
export const bitsOf = (kinds: readonly EvidenceKind[]): number =>
  kinds.reduce((bits, kind) => bits | (1 << evidenceKinds.indexOf(kind)), 0);

export const kindsOfBits = (bits: number): EvidenceKind[] =>
  evidenceKinds.filter((_, i) => (bits & (1 << i)) !== 0);

export type PackKind = "on_demand" | "monthly" | "incident";
export type PackState = "queued" | "building" | "ready" | "failed";

/** `mode`: all receipts, or those of the draw and of all others their leaves. */
export interface Pack {
  readonly tenantId: string;
  readonly id: string;
  readonly kind: PackKind;
  readonly frameworks: readonly string[];
  readonly from: Date;
  readonly to: Date;
  readonly runId: string | null;
  readonly actionId: string | null;
  readonly mode: "full" | "sample";
  readonly seed: string;
  readonly perControl: number;
  readonly overall: number;
  readonly state: PackState;
  readonly turn: number;
  readonly attempts: number;
  /** Leaves of the log that are in the pack so far, and in all. */
  readonly done: number;
  readonly total: number | null;
  readonly bytes: number | null;
  /** Of the archive, 64 hex digits. */
  readonly sha256: string | null;
  /** Compact JWS. */
  readonly manifest: string | null;
  readonly error: string | null;
  readonly requestedBy: string | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
  readonly deliveredAt: Date | null;
}
