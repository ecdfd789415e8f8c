import { createGrants, digestOfSpec, type GrantIo } from "#act/connector-auth";
import type {
  Connection,
  ConnectionInfo,
  Connector,
  FactSpec,
  Operation,
  TestReport,
} from "#act/connector-kit";
import { createWebConnectors } from "#act/connectors-web";
import { wireConnectors } from "#act/connectors-wire";
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { type Fault, OarsError } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import type { Vault } from "#platform/vault";
import type { Receipts } from "#sign/receipts";
import { type BreakerRules, createBreaker } from "./breaker.ts";
import { type Expected, factsOf, putChecked, removeChecked } from "./changes.ts";
import { createConnectionCache } from "./connection-cache.ts";
import { type Consents, createConsents, specOf } from "./consents.ts";
import { type ConnectionInput, readConfig, toReady, unknownConnector } from "./domain.ts";
import { breakerKey, guarded } from "./guarded.ts";
import { refreshDue } from "./refresh.ts";
import { type ConnectionStatus, credentialStatus } from "./status.ts";
import { findConnection, listConnections } from "./store.ts";
import { type ConnectionVersion, listVersions } from "./versions-store.ts";

export interface ConnectorsDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "listSecrets" | "readSecret" | "seal" | "open">;
  readonly dialer: Pick<Dialer, "request" | "connect">;
  readonly receipts: { add(...receipt: Parameters<Receipts["add"]>): Promise<unknown> };
  readonly events?: Pick<SecurityEvents, "record" | "count">;
  /** Public URL of this server, to which authorization servers send people back. */
  readonly origin: string;
  /** Connectors besides the built-in ones. */
  readonly more?: readonly Connector[];
  /** A connection is put, in this transaction; `before` is what had its name. */
  readonly onPut?: (tx: Tx, caller: Caller, now: Connection, before: Connection | undefined) => Promise<void>;
  /** How long a connection may be served after another process changed it; 2,000 when absent. */
  readonly cacheMs?: number;
  /** Never opens when absent. */
  readonly breaker?: BreakerRules;
  /** Names of flows whose newest version uses a connection; none when absent. */
  readonly usedBy?: (tenantId: string, name: string) => Promise<readonly string[]>;
  readonly fault?: Fault;
}

export interface Connectors extends Consents {
  /** Where authorization servers send people back to. */
  readonly redirectUri: string;
  /**
   * Creates the connection or replaces the one of that name. Throws CONNECTOR_UNKNOWN, and CONNECTION_INVALID
   * with every problem: of the fields, the config, secrets that do not exist, facts that contradict others.
   * PRECONDITION_FAILED when it is not the `expected` one.
   */
  put(caller: Caller, input: ConnectionInput, expected?: Expected): Promise<ConnectionInfo>;
  /** Errors: CONNECTION_NOT_FOUND, PRECONDITION_FAILED, and CONNECTION_IN_USE unless `force`. */
  remove(caller: Caller, name: string, how: { expected?: Expected; force?: boolean }): Promise<void>;
  list(caller: Caller): Promise<ConnectionInfo[]>;
  /** As it is stored now, with how its credential and its circuit stand. Throws CONNECTION_NOT_FOUND. */
  show(caller: Caller, name: string): Promise<ConnectionInfo & ConnectionStatus>;
  /** Its revisions, newest first. Throws CONNECTION_NOT_FOUND. */
  versions(
    caller: Caller,
    name: string,
    page: { readonly limit: number; readonly before: number | undefined },
  ): Promise<ConnectionVersion[]>;
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
  /** Renews credentials that end soon, of all tenants; says in how many milliseconds the next one is due. */
  refreshDue(): Promise<number | null>;
}

export function createConnectors(deps: ConnectorsDeps): Connectors {
  const all: readonly Connector[] = [...createWebConnectors(), ...wireConnectors, ...(deps.more ?? [])];
  const connectors = new Map(all.map((one) => [one.name, one]));
  const breaker = createBreaker(deps.breaker ?? { failures: 0, openMs: 1_000 });
  const grants = createGrants(deps);
  const guards = { breaker, grants };
  const operations = new Map(
    all.flatMap((one) => Object.entries(one.operations)).map(([name, one]) => [name, guarded(one, guards)]),
  );
  const cache = createConnectionCache(deps.cacheMs ?? 2_000);
  const io = ({ tenantId, name }: ConnectionInfo, principalId: string | null): GrantIo => ({
    dialer: deps.dialer,
    tenantId,
    secrets: (secret) =>
      deps.vault.readSecret(tenantId, secret, { principalId, purpose: `connection ${name}` }),
  });
  const changes = {
    ...deps,
    connectors,
    usedBy: deps.usedBy ?? (async () => []),
    changed: ({ tenantId, id, name }: ConnectionInfo) => {
      cache.drop(tenantId, name);
      grants.drop(tenantId, id);
    },
  };
  const redirectUri = `${deps.origin.replace(/\/+$/, "")}/v1/oauth/callback`;

  const findInfo = async (tenantId: string, name: string): Promise<ConnectionInfo> => {
    const info = await deps.db.read(tenantId, (db) => findConnection(db, tenantId, name));
    if (info === undefined) throw new OarsError("CONNECTION_NOT_FOUND", { name });
    return info;
  };
  const load = async (tenantId: string, name: string): Promise<Connection | undefined> => {
    const info = await deps.db.read(tenantId, (db) => findConnection(db, tenantId, name));
    return info && toReady(connectors, info);
  };

  return {
    redirectUri,
    ...createConsents({ ...deps, grants, redirectUri, io }),
    refreshDue: () => refreshDue({ ...deps, grants, io }),
    put: (caller, input, expected) => putChecked(changes, caller, input, expected),
    remove: (caller, name, { expected, force = false }) =>
      removeChecked(changes, caller, name, { expected, force }),
    async list(caller) {
      requirePermission(caller, "connections:read");
      return deps.db.read(caller.tenantId, (db) => listConnections(db, caller.tenantId));
    },
    async show(caller, name) {
      requirePermission(caller, "connections:read");
      const info = await findInfo(caller.tenantId, name);
      const spec = specOf(info);
      const row = spec === undefined ? undefined : await grants.find(info);
      const credential = credentialStatus(spec, row, spec && digestOfSpec(spec));
      return { ...info, credential, circuit: breaker.state(breakerKey(info)) };
    },
    async versions(caller, name, page) {
      requirePermission(caller, "connections:read");
      const { tenantId } = caller;
      const { id } = await findInfo(tenantId, name);
      return deps.db.read(tenantId, (db) => listVersions(db, tenantId, id, page));
    },
    async test(caller, name) {
      requirePermission(caller, "connections:write");
      const connection = toReady(connectors, await findInfo(caller.tenantId, name));
      if (connection.emulate) return { ...emulatedReport, emulated: true, ms: 0 };
      const started = performance.now();
      const context = {
        ...io(connection, caller.principalId),
        connection,
        dialer: deps.dialer,
        timeoutMs: testTimeoutMs,
        grants,
      };
      const report = await connectors.get(connection.connector)?.test(context);
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
      const byName = new Map(
        factsOf(connectors, list).flatMap(({ facts }) => facts.map((fact) => [fact.name, fact])),
      );
      return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

const testTimeoutMs = 10_000;

const emulatedReport: TestReport = {
  ok: true,
  message: "The connection is emulated: nothing was called. Its config is valid.",
};
