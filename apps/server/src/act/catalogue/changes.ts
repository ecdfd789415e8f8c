/** How people change what is said of a tool: they classify it, and they review what it has become. */
import type { Connection, Connectors } from "#act/connectors";
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { classify, lowered, type Overrides, reviewDigestOf, type Tool } from "./domain.ts";
import { addChange, type Change, type ReceiptSink, type ToolEvents } from "./receipt.ts";
import * as store from "./store.ts";

export interface ChangesDeps {
  readonly db: Database;
  readonly receipts: ReceiptSink;
  readonly events?: ToolEvents | undefined;
  readonly connectors: Pick<Connectors, "all" | "operationsOf">;
  /** Throws TOOL_NOT_FOUND. */
  readonly mustFind: (tenantId: string, name: string) => Promise<Tool>;
  readonly changed: (tenantId: string) => void;
}

/** Fields left out stay as they are; null takes an override back. */
export interface ReclassifyRequest {
  readonly overrides: { readonly [F in keyof Overrides]?: Overrides[F] | undefined };
  readonly reason?: string | undefined;
  /** ETags of which one must be the tool's own; undefined: any. */
  readonly ifMatch?: readonly string[] | undefined;
}

interface At {
  readonly tool: Tool;
  readonly connection: Connection;
  readonly verbs: Tool["verbs"];
}

async function look(deps: ChangesDeps, tenantId: string, name: string): Promise<At> {
  const tool = await deps.mustFind(tenantId, name);
  const connection = (await deps.connectors.all(tenantId)).find((one) => one.name === tool.connection);
  const operation = deps.connectors.operationsOf(tool.connector).find((one) => one.name === tool.operation);
  if (!connection || !operation) throw new OarsError("TOOL_NOT_FOUND", { name });
  return { tool, connection, verbs: operation.verbs };
}

const matchesTag = (tags: readonly string[] | undefined, etag: string): boolean =>
  tags === undefined || tags.includes("*") || tags.includes(etag);

/** [T3] */
export async function classifyTool(
  deps: ChangesDeps,
  caller: Caller,
  name: string,
  request: ReclassifyRequest,
): Promise<Tool> {
  requirePermission(caller, "tools:review");
  const at = await look(deps, caller.tenantId, name);
  const { tool, connection, verbs } = at;
  if (!matchesTag(request.ifMatch, tool.etag)) throw new OarsError("PRECONDITION_FAILED");
  const given = Object.fromEntries(
    Object.entries(request.overrides).filter(([, value]) => value !== undefined),
  ) as Partial<Overrides>; // what was left out is gone, the rest is as it was declared
  const overrides: Overrides = { ...tool.overrides, ...given };
  const after = { ...classify(connection, { verbs }, overrides), overrides };
  const problems = lowered(tool, after);
  if (problems.length > 0 && request.reason === undefined)
    throw new OarsError("REQUEST_INVALID", {}, { errors: problems });
  const message = `Tool ${name}: ${Object.keys(given).sort().join(", ")} classified${problems.length > 0 ? " as more harmless" : ""}.`;
  await commit(deps, caller, at, {
    change: {
      command: "tool.classified",
      effect: "allow",
      message,
      about: name,
      permission: "tools:review",
      disclose: { tool: name, before: tool.overrides, after: overrides, reason: request.reason ?? null },
    },
    write: (tx) =>
      store.classifyRow(tx, caller.tenantId, name, {
        overrides,
        by: caller.principalId,
        reason: request.reason ?? null,
      }),
  });
  return deps.mustFind(caller.tenantId, name);
}

/** [T2] */
export async function reviewTool(
  deps: ChangesDeps,
  caller: Caller,
  name: string,
  { digest, reason }: { readonly digest: string; readonly reason?: string | undefined },
): Promise<Tool> {
  requirePermission(caller, "tools:review");
  const at = await look(deps, caller.tenantId, name);
  const { tool, connection } = at;
  if (tool.digest !== digest) throw new OarsError("PRECONDITION_FAILED");
  const reviewed = reviewDigestOf(connection);
  const by = caller.principalId;
  await commit(deps, caller, at, {
    change: {
      command: "tool.reviewed",
      effect: "allow",
      message: `Tool ${name} is accepted as it is.`,
      about: name,
      permission: "tools:review",
      to: tool.digest,
      disclose: { tool: name, reason: reason ?? null },
    },
    write: (tx) => store.reviewRows(tx, caller.tenantId, [name], { reviewed, by, reason: reason ?? null }),
  });
  return deps.mustFind(caller.tenantId, name);
}

/** The row is locked, compared with what was looked at, and changed with its receipt. Throws PRECONDITION_FAILED. */
async function commit(
  deps: ChangesDeps,
  caller: Caller,
  { tool, connection }: At,
  { change, write }: { readonly change: Change; readonly write: (tx: Tx) => Promise<unknown> },
): Promise<void> {
  const { tenantId } = caller;
  await deps.db.tx(tenantId, async (tx) => {
    await store.addRows(tx, tenantId, [tool.name], reviewDigestOf(connection));
    const [row] = await store.lockRows(tx, tenantId, [tool.name]);
    if (row?.revision !== tool.revision) throw new OarsError("PRECONDITION_FAILED");
    await write(tx);
    await addChange(deps, tx, caller, change);
    tx.onCommit(() => deps.changed(tenantId));
  });
}
