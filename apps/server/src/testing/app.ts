import type { Caller } from "#platform/access";
import { loadConfig, Secret } from "#platform/config";
import { type Database, openDatabase, type Sql } from "#platform/db";
import { workerLock } from "#platform/jobs";
import { type Fault, newId, sha256 } from "#platform/kernel";
import { createTelemetry, type Telemetry } from "#platform/telemetry";
import { type App, compose } from "../compose.ts";
import type { TestDatabase } from "./index.ts";

/** Keys of the servers of tests, also of those that run as processes. */
export const testKeys = {
  dataEncryption: sha256("the key of the tests"),
  jwt: "a secret of the tests, of 32 characters",
} as const;

export interface TestApp extends App {
  /** The administrator of the first tenant. */
  readonly admin: Caller;
  readonly adminKey: string;
  /** A further principal of the admin's tenant. */
  caller(name: string, roles: readonly string[]): Promise<Caller>;
}

export interface TestAppOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly fault?: Fault;
  readonly onFenced?: () => void;
  readonly workerId?: string;
  /** In place of one that nobody reads. */
  readonly telemetry?: Telemetry;
  /** In place of the key of the tests. */
  readonly dataEncryption?: Uint8Array;
  /** Puts something between the server and its database, such as a count. */
  readonly wrap?: (db: Database) => Database;
}

/** The whole server without a door, over a test database; loopback may be dialled. */
export async function startTestApp(db: Database, options: TestAppOptions = {}): Promise<TestApp> {
  const app = await composeOver(db, options);
  const first = await app.access.bootstrap("Test tenant");
  if (!first.created) throw new Error("the test database is not empty");
  const admin = await app.access.authenticate(`Bearer ${first.apiKey}`, undefined);
  await app.start();
  return {
    ...app,
    admin,
    adminKey: first.apiKey,
    caller: async (name, roles) => {
      const made = await app.access.createPrincipal(admin, { name, kind: "user", roles: [...roles] });
      return app.access.callerFor(admin.tenantId, made.id);
    },
  };
}

/** The same over a database that has its first tenant: a server that starts again. It is not started yet. */
export function joinTestApp(db: Database, options: TestAppOptions = {}): Promise<App> {
  return composeOver(db, options);
}

function composeOver(db: Database, options: TestAppOptions): Promise<App> {
  const config = loadConfig({
    OARS_EGRESS_ALLOW: "127.0.0.1/32",
    OARS_PUBLIC_URL: "http://127.0.0.1:8080",
    OARS_SHUTDOWN_TIMEOUT_MS: "1000",
    ...options.env,
  });
  return compose({
    config,
    db: options.wrap ? options.wrap(db) : db,
    keys: {
      dataEncryption: new Secret(options.dataEncryption ?? new Uint8Array(testKeys.dataEncryption)),
      jwt: new Secret(testKeys.jwt),
    },
    telemetry: options.telemetry ?? createTelemetry({ level: "fatal", name: "test", processMetrics: false }),
    ...(options.fault ? { fault: options.fault } : {}),
    ...(options.onFenced ? { onFenced: options.onFenced } : {}),
    ...(options.workerId ? { workerId: options.workerId } : {}),
  });
}

/** One of several processes on one database, as far as the database can tell. */
export interface TestWorker {
  readonly id: string;
  readonly app: App;
  readonly db: Database;
  /** No more signs of life, while everything else goes on: a process that was paused and came back. */
  silence(): void;
  /** Write sets that this worker was refused, by the guard that refused them. */
  readonly refused: string[];
  stop(): Promise<void>;
}

/**
 * A further worker on the PostgreSQL database of `opened`, with connections and a fence of its own, as a
 * process has them. The first worker makes the tenant; the others find it.
 */
export async function startWorker(
  opened: TestDatabase,
  options: Omit<TestAppOptions, "workerId"> = {},
): Promise<TestWorker> {
  if (opened.url === null) throw new Error("the embedded database is one process's own");
  const id = newId();
  const refused: string[] = [];
  const db = await openDatabase({
    store: { kind: "postgres", url: opened.url, poolSize: 6 },
    fenceKey: workerLock(id),
    observer: { batch: () => {}, refused: (guard) => refused.push(guard) },
  });
  let silent = false;
  const heard: Database = {
    ...db,
    system: {
      tx: db.system.tx,
      query: <Row>(statement: Sql): Promise<Row[]> =>
        silent && statement.text.includes("/* jobs.beat */")
          ? Promise.resolve([{ id }] as Row[]) // it believes that it lives
          : db.system.query<Row>(statement),
    },
  };
  const env = { OARS_STORE: "postgres", OARS_POSTGRES_URL: opened.url, ...options.env };
  const app = await composeOver(heard, { ...options, env, workerId: id });
  return {
    id,
    app,
    db: heard,
    refused,
    silence: () => {
      silent = true;
    },
    stop: async () => {
      await app.stop();
      await db.close();
    },
  };
}
