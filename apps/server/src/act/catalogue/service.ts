import type { Connection, Connectors, Operation, Verb } from "#act/connectors";
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import { digestOf, OarsError } from "#platform/kernel";
import { type AllowedTool, matches, operatorAllows } from "./allowance.ts";
import { type Allowances, createAllowances } from "./allowances.ts";
import { classifyTool, type ReclassifyRequest, reviewTool } from "./changes.ts";
import { toTool } from "./definition.ts";
import { classify, noOverrides, reviewDigestOf, type Tool, toolName } from "./domain.ts";
import { addChange, type ReceiptSink, type ToolEvents } from "./receipt.ts";
import { createSnapshots, type Said } from "./snapshot.ts";
import * as store from "./store.ts";

export interface CatalogueDeps {
  readonly db: Database;
  readonly connectors: Pick<Connectors, "all" | "operationsOf">;
  readonly receipts: ReceiptSink;
  readonly events?: ToolEvents | undefined;
  /** The operator's list of tools; absent or empty: all. */
  readonly allowed?: readonly AllowedTool[];
  /** How long what another process changed may be unknown here; 2,000 when absent. */
  readonly cacheMs?: number;
}

/** What an action needs to know of its tool before it is decided. */
export interface Standing {
  readonly allowed: boolean;
  readonly status: Tool["status"];
  /** In place of the verb that the call seems to have. */
  readonly verb: Verb | null;
  readonly risk: number;
  readonly dataTypes: readonly string[];
  readonly destructive: boolean;
  readonly openWorld: boolean;
  readonly redact: readonly string[];
}

export interface Catalogue extends Allowances {
  /** The tool of that name, `<connection>/<operation>`; undefined for one that does not exist. No permission check. */
  tool(tenantId: string, name: string): Promise<Tool | undefined>;
  /** Every tool of the tenant, by name. No permission check. */
  list(tenantId: string): Promise<readonly Tool[]>;
  /** Changes whenever a tool comes, goes, or takes other arguments, verbs or facts: what schemas are made from. */
  version(tenantId: string): Promise<string>;
  /** For the path of an action: from memory when it can, without a statement of its own. */
  standing(connection: Connection, operation: Operation): Standing | Promise<Standing>;
  /** Who reads outputs of this tool; from memory when it can. */
  outputsOf(tenantId: string, name: string): Promise<Tool["overrides"]["outputs"]>;

  browse(caller: Caller): Promise<readonly Tool[]>;
  /** Throws TOOL_NOT_FOUND. */
  find(caller: Caller, name: string): Promise<Tool>;
  /** Throws TOOL_NOT_FOUND, PRECONDITION_FAILED, and REQUEST_INVALID for what needs a reason. */
  reclassify(caller: Caller, name: string, request: ReclassifyRequest): Promise<Tool>;
  /**
   * Accepts the definition as it is now; `digest` says which one was looked at. Throws TOOL_NOT_FOUND,
   * PRECONDITION_FAILED when it is another one by now.
   */
  review(
    caller: Caller,
    name: string,
    request: { readonly digest: string; readonly reason?: string | undefined },
  ): Promise<Tool>;

  /**
   * A connection was put, in this transaction. [T2] Put by somebody who may review tools, it is reviewed; by anybody
   * else, its tools are quarantined where they were something else before.
   */
  onPut(tx: Tx, caller: Caller, now: Connection, before: Connection | undefined): Promise<void>;
}

export function createCatalogue(deps: CatalogueDeps): Catalogue {
  const { db, connectors } = deps;
  const operatorSays = operatorAllows(deps.allowed ?? []);
  const snapshots = createSnapshots(
    (tenantId) =>
      db.read(tenantId, async (reader) => {
        const [rows, allowance] = [
          await store.listRows(reader, tenantId),
          await store.findAllowance(reader, tenantId),
        ];
        return { rows: new Map(rows.map((row) => [row.name, row])), allowance };
      }),
    deps.cacheMs ?? 2_000,
  );
  const isAllowed = (said: Said, { tenantId, name }: Connection, operation: Operation): boolean =>
    operatorSays(tenantId, name, operation.name) &&
    (said.allowance === undefined || matches(said.allowance.patterns, name, operation.name));
  const toolsOf = (connection: Connection, said: Said): Tool[] =>
    connectors
      .operationsOf(connection.connector)
      .map((operation) =>
        toTool(
          connection,
          operation,
          said.rows.get(toolName(connection.name, operation.name)),
          isAllowed(said, connection, operation),
        ),
      );

  const list = async (tenantId: string): Promise<readonly Tool[]> => {
    snapshots.drop(tenantId); // people look at what is, not at what was a moment ago
    const [connections, said] = [await connectors.all(tenantId), await snapshots.get(tenantId)];
    return connections
      .flatMap((connection) => toolsOf(connection, said))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  };
  const tool = async (tenantId: string, name: string): Promise<Tool | undefined> =>
    (await list(tenantId)).find((one) => one.name === name);
  const mustFind = async (tenantId: string, name: string): Promise<Tool> => {
    const found = await tool(tenantId, name);
    if (!found) throw new OarsError("TOOL_NOT_FOUND", { name });
    return found;
  };
  const { receipts, events } = deps;
  const changes = { db, receipts, events, mustFind, connectors, changed: snapshots.drop };

  return {
    ...createAllowances({ db, receipts, events, changed: snapshots.drop }),
    tool,
    list,
    version: async (tenantId) =>
      digestOf((await list(tenantId)).map(({ name, digest, verbs }) => [name, digest, ...verbs])),
    standing(connection, operation) {
      const said = snapshots.get(connection.tenantId);
      const of = (known: Said): Standing =>
        standingOf(connection, operation, known, isAllowed(known, connection, operation));
      return said instanceof Promise ? said.then(of) : of(said);
    },
    outputsOf: async (tenantId, name) =>
      (await snapshots.get(tenantId)).rows.get(name)?.overrides.outputs ?? noOverrides.outputs,
    browse: async (caller) => {
      requirePermission(caller, "connections:read");
      return list(caller.tenantId);
    },
    find: async (caller, name) => {
      requirePermission(caller, "connections:read");
      return mustFind(caller.tenantId, name);
    },
    reclassify: (caller, name, request) => classifyTool(changes, caller, name, request),
    review: (caller, name, request) => reviewTool(changes, caller, name, request),
    onPut: async (tx, caller, now, before) => {
      const names = connectors.operationsOf(now.connector).map((one) => toolName(now.name, one.name));
      const [from, to] = [before && reviewDigestOf(before), reviewDigestOf(now)];
      tx.onCommit(() => snapshots.drop(caller.tenantId));
      await store.addRows(tx, caller.tenantId, names, from ?? to);
      if (from === undefined || from === to) return;
      const mayReview = caller.permissions.has("tools:review");
      if (mayReview) {
        await store.lockRows(tx, caller.tenantId, names);
        await store.reviewRows(tx, caller.tenantId, names, {
          reviewed: to,
          by: caller.principalId,
          reason: null,
        });
      }
      const message = mayReview
        ? `The tools ${now.name}/* are what the connection's revision ${now.revision} makes of them.`
        : `The tools ${now.name}/* changed with the connection's revision ${now.revision} and are quarantined until they are reviewed.`;
      await addChange(deps, tx, caller, {
        command: "tool.changed",
        effect: mayReview ? "allow" : "quarantine",
        message,
        about: `${now.name}/*`,
        permission: mayReview ? "tools:review" : "connections:write",
        from,
        to,
        disclose: { tools: names },
      });
    },
  };
}

function standingOf(connection: Connection, operation: Operation, said: Said, allowed: boolean): Standing {
  const row = said.rows.get(toolName(connection.name, operation.name));
  const overrides = row?.overrides ?? noOverrides;
  const { risk, dataTypes, destructive, openWorld } = classify(connection, operation, overrides);
  return {
    allowed,
    status: row === undefined || row.reviewed === reviewDigestOf(connection) ? "active" : "changed",
    verb: overrides.verb,
    risk,
    dataTypes,
    destructive,
    openWorld,
    redact: overrides.redact,
  };
}
