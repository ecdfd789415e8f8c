/** `oars-server vault` as an operator runs it: beside servers, and killed in the middle. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { startTestApp, type TestApp, testKeys } from "./testing/app.ts";
import { openTestDatabase, type TestDatabase } from "./testing/index.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

describe("the rotation of keys", () => {
  let opened: TestDatabase;
  let app: TestApp;

  beforeAll(async () => {
    opened = await openTestDatabase("postgres");
    app = await startTestApp(opened.database, { env: { OARS_KEY_CACHE_MS: "100" } });
  });
  afterAll(async () => {
    await app?.stop();
    await opened?.close();
  });

  const run = (words: readonly string[], env: Record<string, string> = {}) =>
    new Promise<{ code: number | null; signal: string | null; out: string }>((resolve) => {
      const child = spawn(process.execPath, ["--conditions=oars-source", main, "vault", ...words], {
        env: {
          OARS_STORE: "postgres",
          OARS_POSTGRES_URL: opened.url ?? "",
          OARS_DATA_ENCRYPTION_KEY: testKeys.dataEncryption.toString("base64"),
          OARS_JWT_SECRET: testKeys.jwt,
          OARS_KEY_CACHE_MS: "100",
          ...env,
        },
      });
      let out = "";
      child.stdout.on("data", (chunk: Buffer) => {
        out += chunk.toString();
      });
      child.stderr.on("data", (chunk: Buffer) => {
        out += chunk.toString();
      });
      child.once("close", (code, signal) => resolve({ code, signal, out }));
    });

  it("goes on after a kill -9 while a server works, and everything can be read under the new keys", async () => {
    const { tenantId, principalId } = app.admin;
    const put = (name: string) =>
      app.db.tx(tenantId, (tx) => app.vault.putSecret(tx, tenantId, name, `value of ${name}`, principalId));
    for (const name of ["a", "b"]) await put(name);
    const killed = await run(["rotate", "--data-keys"], { OARS_FAULT_POINT: "vault.after-reseal" });
    expect(killed, killed.out).toMatchObject({ signal: "SIGKILL" });
    await put("c");
    expect(await app.vault.readSecret(tenantId, "a")).toBe("value of a");
    const fresh = Buffer.from(testKeys.dataEncryption).reverse();
    const done = await run(["rotate", "--data-keys"], {
      OARS_DATA_ENCRYPTION_KEY: fresh.toString("base64"),
      OARS_DATA_ENCRYPTION_KEYS_MORE: testKeys.dataEncryption.toString("base64"),
    });
    expect(done.out).toContain("A rotation that had been cut off was completed.");
    expect(done.code).toBe(0);
    const under = await app.db.system.query<{ number: number }>(sql`
      select get_byte(sealed, 4) as number from secret union select get_byte(private_sealed, 4) from signing_key`);
    expect(under).toEqual([{ number: 2 }]);
    const status = await run(["status"], { OARS_DATA_ENCRYPTION_KEY: fresh.toString("base64") });
    expect(status.out).toMatch(/wraps 4 data keys of 2 tenants/); // the installation has keys of its own
    expect(status.out.trim().split("\n")).toHaveLength(1);
    expect(await app.vault.readSecret(tenantId, "b")).toBe("value of b"); // data keys in memory go on
  });
});
