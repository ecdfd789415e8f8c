/** One credential for all processes: two servers on one database. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { startWorker, type TestWorker } from "./testing/app.ts";
import { type Authority, authority } from "./testing/authority.ts";
import { openTestDatabase, type TestDatabase } from "./testing/index.ts";
import { until } from "./testing/until.ts";

describe("a credential of two processes", () => {
  let opened: TestDatabase;
  let outside: Authority;
  const workers: TestWorker[] = [];

  beforeAll(async () => {
    [opened, outside] = [await openTestDatabase("postgres"), await authority()];
    for (let i = 0; i < 2; i++) workers.push(await startWorker(opened));
  });
  afterAll(async () => {
    for (const worker of workers) await worker.stop();
    await outside?.[Symbol.asyncDispose]();
    await opened?.close();
  });

  const connect = async (name: string) => {
    const [{ app } = workers[0] as TestWorker] = workers; // two were started
    const first = await app.access.bootstrap("Two processes");
    const admin = first.created ? await app.access.authenticate(`Bearer ${first.apiKey}`) : known;
    known = admin;
    const { tenantId } = admin;
    await app.db.tx(tenantId, (tx) => app.vault.putSecret(tx, tenantId, "client-secret", "client/secret"));
    const oauth2 = {
      grant: "client_credentials",
      tokenUrl: `${outside.origin}/token`,
      clientId: "oars",
      clientSecret: "vault:client-secret",
    };
    const config = { baseUrl: outside.origin, auth: { oauth2 } };
    const { id } = await app.connectors.put(admin, { name, connector: "http", config });
    return { id, tenantId, call: (worker: TestWorker) => call(worker, tenantId, name) };
  };
  let known: Awaited<ReturnType<TestWorker["app"]["access"]["authenticate"]>>;

  const call = async ({ app }: TestWorker, tenantId: string, name: string) => {
    const connection = await app.connectors.find(tenantId, name);
    const operation = app.connectors.operation("http.request");
    if (connection === undefined || operation === undefined) throw new Error("it was put");
    const context = {
      connection,
      dialer: app.dialer,
      secrets: (secret: string) => app.vault.readSecret(tenantId, secret),
      idempotencyKey: newId(),
      timeoutMs: 30_000,
    };
    return operation.execute(
      context,
      operation.input.parse({ connection: name, method: "GET", path: "/api" }),
    );
  };

  it("[G1] is obtained by one of them, also where both are told that it is refused, and both use it", async () => {
    const { tenantId, call: on } = await connect("shared");
    const held = Promise.withResolvers<void>();
    outside.rules.hold = () => held.promise;
    const both = workers.map(on);
    await until("one of them asks", () => outside.asked.length > 0);
    held.resolve();
    for (const outcome of await Promise.all(both)) expect(outcome.status).toBe("completed");
    expect(outside.asked).toHaveLength(1);

    await opened.database.system.query(
      sql`update connection_grant set obtained_at = now() - interval '1 min' where tenant_id = ${tenantId}`,
    );
    outside.revokeAll();
    for (const outcome of await Promise.all(workers.map(on))) expect(outcome.status).toBe("completed");
    expect(outside.asked).toHaveLength(2);
  });

  it("[G1] passes on from a process that died while it obtained one", async () => {
    const { tenantId, id, call: on } = await connect("left");
    const asked = outside.asked.length;
    await opened.database.system.query(sql`
      insert into connection_grant (tenant_id, connection_id, kind, digest, claim, claimed_until)
      values (${tenantId}, ${id}, 'token', 'of nobody', ${newId()}, now() + interval '1 h')`);
    const waiting = on(workers[0] as TestWorker); // two were started
    await opened.database.system.query(
      sql`update connection_grant set claimed_until = now() - interval '1 s' where connection_id = ${id}`,
    );
    expect((await waiting).status).toBe("completed");
    expect(outside.asked).toHaveLength(asked + 1);
  });
});
