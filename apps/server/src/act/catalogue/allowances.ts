/** The tenant's own list of the tools that it may use. */
import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { patternProblems } from "./allowance.ts";
import { addChange, type ReceiptSink, type ToolEvents } from "./receipt.ts";
import { type AllowanceRow, findAllowance, putAllowance } from "./store.ts";

export interface Allowance {
  /** Null: there is no list, every tool is allowed. Empty: none is. */
  readonly tools: readonly string[] | null;
  readonly updatedBy: string | null;
  readonly updatedAt: Date | null;
  readonly etag: string;
}

export interface Allowances {
  allowance(caller: Caller): Promise<Allowance>;
  /** Replaces the list. Throws REQUEST_INVALID for patterns of no known form, PRECONDITION_FAILED. */
  allow(
    caller: Caller,
    tools: readonly string[],
    ifMatch?: readonly string[] | undefined,
  ): Promise<Allowance>;
}

const toAllowance = (row: AllowanceRow | undefined): Allowance => ({
  tools: row?.patterns ?? null,
  updatedBy: row?.updatedBy ?? null,
  updatedAt: row?.updatedAt ?? null,
  etag: String(row?.revision ?? 0),
});

export function createAllowances(deps: {
  readonly db: Database;
  readonly receipts: ReceiptSink;
  readonly events?: ToolEvents | undefined;
  readonly changed: (tenantId: string) => void;
}): Allowances {
  const { db } = deps;
  return {
    allowance: async (caller) => {
      requirePermission(caller, "connections:read");
      return toAllowance(await db.read(caller.tenantId, (reader) => findAllowance(reader, caller.tenantId)));
    },
    allow: async (caller, tools, ifMatch) => {
      requirePermission(caller, "tools:review");
      const problems = patternProblems(tools);
      if (problems.length > 0) throw new OarsError("REQUEST_INVALID", {}, { errors: problems });
      const { tenantId, principalId } = caller;
      const patterns = [...new Set(tools)].sort();
      return db.tx(tenantId, async (tx) => {
        const before = await findAllowance(tx, tenantId);
        const { etag } = toAllowance(before);
        if (ifMatch && !ifMatch.includes("*") && !ifMatch.includes(etag))
          throw new OarsError("PRECONDITION_FAILED");
        const revision = before?.revision ?? 0;
        const row = await putAllowance(tx, tenantId, { patterns, by: principalId, revision });
        if (!row) throw new OarsError("PRECONDITION_FAILED"); // somebody else was first
        await addChange(deps, tx, caller, {
          command: "tools.allowed",
          effect: "allow",
          message: `The tenant may use the tools that ${patterns.length} patterns name.`,
          about: "tool-allowance",
          permission: "tools:review",
          disclose: { before: before?.patterns ?? null, after: patterns },
        });
        tx.onCommit(() => deps.changed(tenantId));
        return toAllowance(row);
      });
    },
  };
}
