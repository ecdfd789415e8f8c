/** Which tools a tenant may use: first the operator's list for the installation, then the tenant's own. */
import type { FieldProblem } from "#platform/kernel";
import { toolName } from "./domain.ts";

export interface AllowedTool {
  /** Id of the tenant; null: every tenant without entries of its own. */
  readonly tenantId: string | null;
  /** `slack` (a connector), `http.request` (an operation), `wms/*` or `wms/http.request` (of one connection), `*`. */
  readonly pattern: string;
}

/** Whether one of the patterns stands for the tool. */
export function matches(patterns: readonly string[], connection: string, operation: string): boolean {
  const connector = operation.slice(0, operation.indexOf("."));
  const names = ["*", connector, operation, `${connection}/*`, toolName(connection, operation)];
  return patterns.some((pattern) => names.includes(pattern));
}

/** The operator's list as a question. A tenant with entries of its own is held to those alone; no entry allows all. */
export function operatorAllows(
  entries: readonly AllowedTool[],
): (tenantId: string, connection: string, operation: string) => boolean {
  const patternsOf = (list: readonly AllowedTool[]): string[] => list.map((entry) => entry.pattern);
  const common = patternsOf(entries.filter((entry) => entry.tenantId === null));
  const byTenant = Map.groupBy(
    entries.filter((entry) => entry.tenantId !== null),
    (entry) => entry.tenantId,
  );
  const own = new Map([...byTenant].map(([tenantId, list]) => [tenantId, patternsOf(list)]));
  return (tenantId, connection, operation) => {
    const list = own.get(tenantId) ?? common;
    return list.length === 0 || matches(list, connection, operation);
  };
}

const patternForm = /^(?:\*|[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:\/(?:\*|[A-Za-z0-9][A-Za-z0-9._-]{0,99}))?)$/;

export const patternProblems = (patterns: readonly string[]): FieldProblem[] =>
  patterns.flatMap((pattern, index) =>
    patternForm.test(pattern)
      ? []
      : [
          {
            path: `tools.${index}`,
            code: "TOOL_PATTERN",
            message: "must be *, a connector, an operation, <connection>/* or <connection>/<operation>",
          },
        ],
  );
