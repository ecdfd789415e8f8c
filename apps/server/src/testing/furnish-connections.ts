/** For the test of tenants: a row in every table of connections and the vault. */
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import type { App } from "../compose.ts";

export async function furnishConnections(app: App, admin: Caller): Promise<void> {
  const { tenantId } = admin;
  const oauth2 = {
    grant: "authorization_code",
    tokenUrl: "https://idp.example.com/token",
    authorizationUrl: "https://idp.example.com/authorize",
    clientId: "oars",
  };
  const config = { baseUrl: "https://api.example.com", auth: { oauth2 } };
  const { id } = await app.connectors.put(admin, { name: "mail", connector: "http", config });
  await app.connectors.authorize(admin, "mail");
  await app.vault.readSecret(tenantId, "hook");
  await app.vault.flushUses();
  await app.egress.put(admin, null, undefined);
  await app.db.tx(tenantId, (tx) =>
    tx.query(sql`/* test.grant */ insert into connection_grant (tenant_id, connection_id, kind, digest)
      values (${tenantId}, ${id}, 'token', 'none')`),
  );
}
