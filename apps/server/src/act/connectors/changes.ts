/** Putting and deleting connections: checked, compared with what was read, recorded and receipted in one commit. */
import { digestOfSpec, dropOtherGrants } from "#act/connector-auth";
import { type Connection, type ConnectionInfo, type Connector, problemsOf } from "#act/connector-kit";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, type Tx, WriteSet } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { digestOf, type FieldProblem, newId, OarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import type { Receipts } from "#sign/receipts";
import { specOf } from "./consents.ts";
import {
  type ConnectionInput,
  connectionInput,
  factProblems,
  factSpecsOf,
  readConfig,
  toReady,
  unknownConnector,
} from "./domain.ts";
import { deleteConnection, listConnections, lockConnection, putConnection } from "./store.ts";
import { definitionOf, insertVersion } from "./versions-store.ts";

export interface ChangesDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "listSecrets">;
  readonly receipts: { add(...receipt: Parameters<Receipts["add"]>): Promise<unknown> };
  readonly events?: Pick<SecurityEvents, "record">;
  readonly connectors: ReadonlyMap<string, Connector>;
  /** A connection is put, in this transaction; `before` is what had its name. */
  readonly onPut?: (tx: Tx, caller: Caller, now: Connection, before: Connection | undefined) => Promise<void>;
  /** Forgets what is kept in memory of the connection. */
  readonly changed: (connection: ConnectionInfo) => void;
  /** Names of flows whose newest version uses the connection. */
  readonly usedBy: (tenantId: string, name: string) => Promise<readonly string[]>;
}

/** What a caller last saw, as tags; undefined: anything. */
export type Expected = readonly string[] | undefined;

/** Names one revision of one connection: a new one of the same name has other tags. */
export const connectionTag = (c: Pick<ConnectionInfo, "id" | "revision">): string =>
  `${c.revision}-${c.id.slice(-12)}`;

export async function putChecked(
  deps: ChangesDeps,
  caller: Caller,
  input: ConnectionInput,
  expected: Expected,
): Promise<ConnectionInfo> {
  requirePermission(caller, "connections:write");
  const { tenantId } = caller;
  const { fields, connector, settings, problems } = read(deps, input);
  const facts = factSpecsOf(connector, fields.facts, settings);
  problems.push(...(await missingSecrets(deps.vault, tenantId, connector.secretNames(settings))));
  return deps.db.tx(tenantId, async (tx) => {
    const before = await lockConnection(tx, tenantId, fields.name);
    checkExpected(before, expected);
    const clashes = factProblems(facts, await factsOfOthers(deps, tx, tenantId, fields.name));
    if (problems.length + clashes.length > 0) throw invalid([...problems, ...clashes]);
    const stored = await putConnection(tx, { ...fields, tenantId, id: newId() });
    await insertVersion(tx, stored, "put", caller.principalId);
    const spec = specOf(stored);
    const key = { tenantId, connectionId: stored.id };
    await dropOtherGrants(tx, key, spec === undefined ? null : digestOfSpec(spec));
    await tell(deps, tx, caller, "connection.put", before, stored);
    tx.onCommit(() => deps.changed(stored));
    await deps.onPut?.(tx, caller, toReady(deps.connectors, stored), before && { ...before, settings: null });
    return stored;
  });
}

/** Throws CONNECTION_NOT_FOUND, PRECONDITION_FAILED, and CONNECTION_IN_USE unless `force`. */
export async function removeChecked(
  deps: ChangesDeps,
  caller: Caller,
  name: string,
  how: { readonly expected: Expected; readonly force: boolean },
): Promise<void> {
  requirePermission(caller, "connections:write");
  const { tenantId } = caller;
  const users = how.force ? [] : await deps.usedBy(tenantId, name);
  await deps.db.tx(tenantId, async (tx) => {
    const before = await lockConnection(tx, tenantId, name);
    if (before === undefined) throw new OarsError("CONNECTION_NOT_FOUND", { name });
    checkExpected(before, how.expected);
    if (users.length > 0)
      throw new OarsError("CONNECTION_IN_USE", { name, flows: users.slice(0, 10).join(", ") });
    await insertVersion(tx, before, "deleted", caller.principalId);
    await deleteConnection(tx, tenantId, before.id);
    await tell(deps, tx, caller, "connection.delete", before, undefined);
    tx.onCommit(() => deps.changed(before));
  });
}

function read(deps: ChangesDeps, input: ConnectionInput) {
  const fields = connectionInput.safeParse(input);
  const connector = deps.connectors.get(typeof input.connector === "string" ? input.connector : "");
  const config = connector && readConfig(connector, input.config);
  const problems: FieldProblem[] = [
    ...(fields.success ? [] : problemsOf(fields.error, "")),
    ...(config !== undefined && "problems" in config ? config.problems : []),
  ];
  if (!fields.success || (config !== undefined && "problems" in config)) throw invalid(problems);
  if (connector === undefined || config === undefined)
    throw unknownConnector(deps.connectors, fields.data.connector);
  return { fields: fields.data, connector, settings: config.settings, problems };
}

function checkExpected(before: ConnectionInfo | undefined, expected: Expected): void {
  if (expected === undefined) return;
  const holds = before !== undefined && (expected.includes("*") || expected.includes(connectionTag(before)));
  if (holds) return;
  const current = before === undefined ? {} : { current: { name: before.name, revision: before.revision } };
  throw new OarsError("PRECONDITION_FAILED", {}, current);
}

/** Facts of the connections that this version can read; one that it cannot is reported when it is used. */
export const factsOf = (connectors: ReadonlyMap<string, Connector>, list: readonly ConnectionInfo[]) =>
  list.flatMap(({ name, connector: kind, config, facts }) => {
    const connector = connectors.get(kind);
    const found = connector && readConfig(connector, config);
    if (connector === undefined || found === undefined || "problems" in found) return [];
    return [{ connection: name, facts: factSpecsOf(connector, facts, found.settings) }];
  });

const factsOfOthers = async (deps: ChangesDeps, tx: Tx, tenantId: string, name: string) =>
  factsOf(
    deps.connectors,
    (await listConnections(tx, tenantId)).filter((other) => other.name !== name),
  );

/** A connection says what its tools are: a change of one is a change of theirs. */
async function tell(
  deps: ChangesDeps,
  tx: Tx,
  caller: Caller,
  command: "connection.put" | "connection.delete",
  before: ConnectionInfo | undefined,
  after: ConnectionInfo | undefined,
): Promise<void> {
  const set = new WriteSet();
  const { tenantId, principalId, principalKind, ownerId } = caller;
  const digest = (c: ConnectionInfo) => digestOf(definitionOf(c));
  await deps.receipts.add(
    set,
    {
      tenantId,
      type: "tool.definition_changed",
      principal: { id: principalId, kind: principalKind, ownerId },
      operation: {
        command,
        ...(before === undefined ? {} : { from: digest(before) }),
        ...(after === undefined ? {} : { to: digest(after) }),
      },
      disclose: {
        connection: (after ?? before)?.name ?? "",
        revision: after?.revision ?? null,
        definition: after === undefined ? null : definitionOf(after),
      },
    },
    tx,
  );
  await applyWrites(tx, set);
  const now = after ?? before;
  if (now === undefined) return;
  const details = { connector: now.connector, revision: now.revision, emulate: now.emulate };
  await deps.events?.record(tx, {
    tenantId,
    type: after === undefined ? "connection.deleted" : "connection.changed",
    actor: caller,
    target: { kind: "connection", id: now.name },
    details,
  });
}

const invalid = (problems: readonly FieldProblem[]): OarsError =>
  new OarsError("CONNECTION_INVALID", {}, { errors: problems });

async function missingSecrets(
  vault: Pick<Vault, "listSecrets">,
  tenantId: string,
  names: readonly string[],
): Promise<FieldProblem[]> {
  if (names.length === 0) return [];
  const known = new Set((await vault.listSecrets(tenantId)).map((secret) => secret.name));
  return names
    .filter((name) => !known.has(name))
    .map((name) => ({
      path: "config.auth",
      code: "SECRET_NOT_FOUND",
      message: `there is no secret ${name}; store it first with PUT /v1/secrets/${name}`,
    }));
}
