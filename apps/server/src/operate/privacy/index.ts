import { type Caller, requirePermission } from "#platform/access";
import { OarsError } from "#platform/kernel";
import { type AccessExport, type AccessExportDeps, exportSubject } from "./access-export.ts";
import type { Erasure, Hold, RetentionRule } from "./domain.ts";
import { completeInterrupted, type ErasureDeps, erase } from "./erasure.ts";
import { type NewHold, placeHold, releaseHold } from "./holds.ts";
import { applyRules, putRules } from "./retention.ts";
import * as store from "./store.ts";

export type { AccessExport } from "./access-export.ts";
export { type Erasure, type Hold, type HoldScope, holdScopes, type RetentionRule } from "./domain.ts";
export type { NewHold } from "./holds.ts";
export { isMonthHeld } from "./retention.ts";

export interface Privacy {
  placeHold(caller: Caller, hold: NewHold): Promise<Hold>;
  /** Errors: PRIVACY_HOLD_NOT_FOUND, PRIVACY_HOLD_RELEASED. */
  releaseHold(caller: Caller, id: string, reason: string): Promise<Hold>;
  /** The newest 200, released ones too. */
  listHolds(caller: Caller): Promise<Hold[]>;
  listRules(caller: Caller): Promise<RetentionRule[]>;
  putRules(caller: Caller, rules: readonly RetentionRule[]): Promise<RetentionRule[]>;
  /** Errors: PRIVACY_HELD, PRIVACY_SUBJECT_BUSY. */
  erase(caller: Caller, subject: string): Promise<Erasure>;
  listErasures(caller: Caller): Promise<Erasure[]>;
  /** Errors: PRIVACY_ERASURE_NOT_FOUND. */
  findErasure(caller: Caller, id: string): Promise<Erasure>;
  exportSubject(caller: Caller, subject: string, cursor: string | null): Promise<AccessExport>;
  /** Jobs: applies the retention rules; completes erasures that were interrupted. Each answers how much it did. */
  applyRules(): Promise<number>;
  completeInterrupted(olderThanSeconds?: number): Promise<number>;
}

export function createPrivacy(deps: ErasureDeps & AccessExportDeps): Privacy {
  const { db } = deps;
  const reading = <T>(caller: Caller, read: (tenantId: string) => Promise<T>): Promise<T> => {
    requirePermission(caller, "privacy:read");
    return read(caller.tenantId);
  };
  return {
    placeHold: (caller, hold) => placeHold(deps, caller, hold),
    releaseHold: (caller, id, reason) => releaseHold(deps, caller, id, reason),
    listHolds: (caller) => reading(caller, (t) => db.read(t, (tx) => store.listHolds(tx, t))),
    listRules: (caller) => reading(caller, (t) => db.read(t, (tx) => store.listRules(tx, t))),
    putRules: (caller, rules) => putRules(deps, caller, rules),
    erase: (caller, subject) => erase(deps, caller, subject),
    listErasures: (caller) => reading(caller, (t) => db.read(t, (tx) => store.listErasures(tx, t))),
    findErasure: async (caller, id) => {
      const [found] = await reading(caller, (t) => db.read(t, (tx) => store.findErasure(tx, t, id)));
      if (!found) throw new OarsError("PRIVACY_ERASURE_NOT_FOUND");
      return found;
    },
    exportSubject: (caller, subject, cursor) => exportSubject(deps, caller, subject, cursor),
    applyRules: () => applyRules(db),
    completeInterrupted: (olderThanSeconds) => completeInterrupted(db, olderThanSeconds),
  };
}
