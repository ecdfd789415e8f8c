import {
  type Connection,
  type ConnectionInfo,
  type Connector,
  type FactSpec,
  type Operation,
  problemsOf,
  type TestReport,
} from "#act/connector-kit";
import { webConnectors } from "#act/connectors-web";
import { wireConnectors } from "#act/connectors-wire";
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { type FieldProblem, newId, OarsError } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import type { Vault } from "#platform/vault";
import { createConnectionCache } from "./connection-cache.ts";
import {
  type ConnectionInput,
  connectionInput,
  factProblems,
  factSpecsOf,
  readConfig,
  toReady,
  unknownConnector,
} from "./domain.ts";
import { guarded } from "./guarded.ts";
import { findConnection, listConnections, putConnection } from "./store.ts";

export interface ConnectorsDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "listSecrets" | "readSecret">;
  readonly dialer: Pick<Dialer, "request" | "connect">;
  readonly events?: Pick<SecurityEvents, "record">;
  /** Connectors besides the built-in ones. */
  readonly more?: readonly Connector[];
  /** A connection is put, in this transaction; `before` is what had its name. */
  readonly onPut?: (tx: Tx, caller: Caller, now: Connection, before: Connection | undefined) => Promise<void>;
  /** How long a connection may be served after another process changed it; 2,000 when absent. */
  readonly cacheMs?: number;
}

export interface Connectors {
  /**
   * Creates the connection or replaces the one of that name. Throws CONNECTOR_UNKNOWN, and CONNECTION_INVALID
   * with every problem: of the fields, the config, secrets that do not exist, facts that contradict others.
   */
  put(caller: Caller, input: ConnectionInput): Promise<ConnectionInfo>;
  list(caller: Caller): Promise<ConnectionInfo[]>;
  /**
   * Reaches the system with the connection's credentials and changes nothing there; an emulated connection
   * reaches nothing. Throws CONNECTION_NOT_FOUND. That the system refuses is a report.
   */
  test(
    caller: Caller,
    name: string,
  ): Promise<TestReport & { readonly emulated: boolean; readonly ms: number }>;
  /** For actions: from memory when it can. */
  find(tenantId: string, name: string): Promise<Connection | undefined>;
  /** Every connection of the tenant that this version of the server can use, by name. No permission check. */
  all(tenantId: string): Promise<Connection[]>;
  operation(name: string): Operation | undefined;
  /** Those of one connector; none for one that is not known. */
  operationsOf(connector: string): readonly Operation[];
  readonly operations: readonly Operation[];
  /** What a person can choose from. */
  readonly catalogue: readonly Connector[];
  /** The facts that policies of this tenant may read, each name once. */
  factSpecs(tenantId: string): Promise<FactSpec[]>;
}

export function createConnectors(deps: ConnectorsDeps): Connectors {
  const all: readonly Connector[] = [...webConnectors, ...wireConnectors, ...(deps.more ?? [])];
  const connectors = new Map(all.map((one) => [one.name, one]));
  const operations = new Map(
    all.flatMap((one) => Object.entries(one.operations)).map(([name, one]) => [name, guarded(one)]),
  );
  const cache = createConnectionCache(deps.cacheMs ?? 2_000);

  const load = async (tenantId: string, name: string): Promise<Connection | undefined> => {
    const info = await deps.db.read(tenantId, (db) => findConnection(db, tenantId, name));
    return info && toReady(connectors, info);
  };

  /** Facts of the connections that this version can read; one that it cannot is reported when it is used. */
  const factsOf = (list: readonly ConnectionInfo[]) =>
    list.flatMap(({ name, connector: kind, config, facts }) => {
      const connector = connectors.get(kind);
      const read = connector && readConfig(connector, config);
      if (connector === undefined || read === undefined || "problems" in read) return [];
      return [{ connection: name, facts: factSpecsOf(connector, facts, read.settings) }];
    });

  const factsOfOthers = async (tx: Tx, tenantId: string, name: string) =>
    factsOf((await listConnections(tx, tenantId)).filter((other) => other.name !== name));

  return {
    async put(caller, input) {
      requirePermission(caller, "connections:write");
      const { tenantId } = caller;
      const fields = connectionInput.safeParse(input);
      const connector = connectors.get(typeof input.connector === "string" ? input.connector : "");
      const config = connector && readConfig(connector, input.config);
      const problems = [
        ...(fields.success ? [] : problemsOf(fields.error, "")),
        ...(config !== undefined && "problems" in config ? config.problems : []),
      ];
      if (!fields.success || (config !== undefined && "problems" in config)) throw invalid(problems);
      if (connector === undefined || config === undefined)
        throw unknownConnector(connectors, fields.data.connector);
      const facts = factSpecsOf(connector, fields.data.facts, config.settings);
      problems.push(...(await missingSecrets(deps.vault, tenantId, connector.secretNames(config.settings))));

      return deps.db.tx(tenantId, async (tx) => {
        const clashes = factProblems(facts, await factsOfOthers(tx, tenantId, fields.data.name));
        if (problems.length + clashes.length > 0) throw invalid([...problems, ...clashes]);
        tx.onCommit(() => cache.drop(tenantId, fields.data.name));
        const before = await findConnection(tx, tenantId, fields.data.name);
        const put = await putConnection(tx, { ...fields.data, tenantId, id: newId() });
        const target = { kind: "connection", id: put.name };
        const details = { connector: put.connector, revision: put.revision, emulate: put.emulate };
        await deps.events?.record(tx, {
          tenantId,
          type: "connection.changed",
          actor: caller,
          target,
          details,
        });
        await deps.onPut?.(tx, caller, toReady(connectors, put), before && { ...before, settings: null });
        return put;
      });
    },
    async list(caller) {
      requirePermission(caller, "connections:read");
      return deps.db.read(caller.tenantId, (db) => listConnections(db, caller.tenantId));
    },
    async test(caller, name) {
      requirePermission(caller, "connections:write");
      const connection = await load(caller.tenantId, name);
      if (connection === undefined) throw new OarsError("CONNECTION_NOT_FOUND", { name });
      if (connection.emulate) return { ...emulatedReport, emulated: true, ms: 0 };
      const started = performance.now();
      const report = await connectors.get(connection.connector)?.test({
        connection,
        dialer: deps.dialer,
        secrets: (secret) => deps.vault.readSecret(caller.tenantId, secret),
        timeoutMs: testTimeoutMs,
      });
      if (report === undefined) throw unknownConnector(connectors, connection.connector);
      return { ...report, emulated: false, ms: Math.round(performance.now() - started) };
    },
    find: async (tenantId, name) => cache.get(tenantId, name, () => load(tenantId, name)),
    all: async (tenantId) => {
      const list = await deps.db.read(tenantId, (db) => listConnections(db, tenantId));
      return list.flatMap((info) => {
        const connector = connectors.get(info.connector);
        const read = connector && readConfig(connector, info.config);
        return read === undefined || "problems" in read ? [] : [{ ...info, settings: read.settings }];
      });
    },
    operation: (name) => operations.get(name),
    operationsOf: (connector) => [...operations.values()].filter((one) => one.connector === connector),
    operations: [...operations.values()],
    catalogue: all,
    async factSpecs(tenantId) {
      const list = await deps.db.read(tenantId, (db) => listConnections(db, tenantId));
      const byName = new Map(factsOf(list).flatMap(({ facts }) => facts.map((fact) => [fact.name, fact])));
      return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

const testTimeoutMs = 10_000;

const emulatedReport: TestReport = {
  ok: true,
  message: "The connection is emulated: nothing was called. Its config is valid.",
};

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
