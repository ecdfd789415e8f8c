/** The operator's list of tools, in front of every policy. */
import { OarsError } from "#platform/kernel";

export interface AllowedTool {
  /** Id of the tenant; null: every tenant without entries of its own. */
  readonly tenantId: string | null;
  /** `slack` (a connector), `http.request` (an operation), `wms/*` or `wms/http.request` (of one connection), `*`. */
  readonly pattern: string;
}

export interface AllowedTools {
  /** Throws TOOL_NOT_ALLOWED. A tenant with entries of its own is held to those alone; no entry allows all. */
  check(tenantId: string, connection: string, operation: string): void;
}

export function createAllowedTools(entries: readonly AllowedTool[]): AllowedTools {
  const common = entries.filter((entry) => entry.tenantId === null);
  const own = Map.groupBy(
    entries.filter((entry) => entry.tenantId !== null),
    (entry) => entry.tenantId,
  );
  return {
    check(tenantId, connection, operation) {
      const list = own.get(tenantId) ?? common;
      if (list.length === 0) return;
      const connector = operation.slice(0, operation.indexOf("."));
      const names = ["*", connector, operation, `${connection}/*`, `${connection}/${operation}`];
      if (list.some((entry) => names.includes(entry.pattern))) return;
      throw new OarsError("TOOL_NOT_ALLOWED", { tool: `${connection}/${operation}` });
    },
  };
}
