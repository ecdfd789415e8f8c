import type { Caller } from "#platform/access";
import { loadConfig, Secret } from "#platform/config";
import type { Database } from "#platform/db";
import { createTelemetry } from "#platform/telemetry";
import { type App, compose } from "../compose.ts";

export interface TestApp extends App {
  /** The administrator of the first tenant. */
  readonly admin: Caller;
  readonly adminKey: string;
  /** A further principal of the admin's tenant. */
  caller(name: string, roles: readonly string[]): Promise<Caller>;
}

export interface TestAppOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly fault?: (point: string) => void;
}

/** The whole server without a door, over a test database; loopback may be dialled. */
export async function startTestApp(db: Database, options: TestAppOptions = {}): Promise<TestApp> {
  const config = loadConfig({
    OARS_EGRESS_ALLOW: "127.0.0.1/32",
    OARS_PUBLIC_URL: "http://127.0.0.1:8080",
    OARS_SHUTDOWN_TIMEOUT_MS: "1000",
    ...options.env,
  });
  const app = await compose({
    config,
    db,
    keys: {
      dataEncryption: new Secret(new Uint8Array(32).fill(7)),
      jwt: new Secret("a secret of the tests, of 32 characters"),
    },
    telemetry: createTelemetry({ level: "fatal", name: "test", processMetrics: false }),
    ...(options.fault ? { fault: options.fault } : {}),
  });
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
