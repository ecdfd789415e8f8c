import { type Caller, requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import { type FieldProblem, newId, OarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { createConnectionCache } from "./connection-cache.ts";
import type { Connection, ConnectionInfo, Connector, FactSpec, Operation } from "./connector.ts";
import {
  type ConnectionInput,
  connectionInput,
  factProblems,
  factSpecsOf,
  readConfig,
  toReady,
  unknownConnector,
} from "./domain.ts";
import { httpConnector } from "./http-connector.ts";
import { problemsOf } from "./problems.ts";
import { findConnection, listConnections, putConnection } from "./store.ts";

export interface ConnectorsDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "listSecrets">;
  /** Connectors besides `http`. */
  readonly more?: readonly Connector[];
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
  /** For actions: from memory when it can. */
  find(tenantId: string, name: string): Promise<Connection | undefined>;
  operation(name: string): Operation | undefined;
  readonly operations: readonly Operation[];
  /** The facts that policies of this tenant may read, each name once. */
  factSpecs(tenantId: string): Promise<FactSpec[]>;
}

export function createConnectors(deps: ConnectorsDeps): Connectors {
  const connectors = new Map([httpConnector, ...(deps.more ?? [])].map((one) => [one.name, one]));
  const operations = new Map([...connectors.values()].flatMap((one) => Object.entries(one.operations)));
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
        return putConnection(tx, { ...fields.data, tenantId, id: newId() });
      });
    },
    async list(caller) {
      requirePermission(caller, "connections:read");
      return deps.db.read(caller.tenantId, (db) => listConnections(db, caller.tenantId));
    },
    find: async (tenantId, name) => cache.get(tenantId, name, () => load(tenantId, name)),
    operation: (name) => operations.get(name),
    operations: [...operations.values()],
    async factSpecs(tenantId) {
      const list = await deps.db.read(tenantId, (db) => listConnections(db, tenantId));
      const byName = new Map(factsOf(list).flatMap(({ facts }) => facts.map((fact) => [fact.name, fact])));
      return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
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
