/**
 * `oars-server keys list|rotate`: signing keys of a tenant, or of the installation itself, by whoever operates the
 * server. Beside a running server on PostgreSQL, whose processes hear of it; instead of one on the embedded database.
 */
import type { Config, Keys } from "#platform/config";
import { openDatabase } from "#platform/db";
import { OarsError, parseId, systemClock } from "#platform/kernel";
import { createDialer } from "#platform/net";
import { createVault } from "#platform/vault";
import {
  createReceipts,
  createSigners,
  createSigningKeys,
  installationId,
  usualOverlapMs,
} from "#sign/receipts";
import { holdersOf } from "./compose-sign.ts";

export interface KeysCommand {
  /** `list` or `rotate`. */
  readonly verb: string | undefined;
  /** A tenant's id, or `instance` for the log of logs. */
  readonly of: string | undefined;
  readonly use: string | undefined;
}

export const keysUsage = `Usage: oars-server keys list --of <tenant id|instance>
       oars-server keys rotate --of <tenant id|instance> --use receipt|log
`;

/** Exit code: 0 done, 2 not understood. */
export async function keysCommand(
  config: Config,
  keys: Keys,
  asked: KeysCommand,
  print: (text: string) => void,
): Promise<number> {
  const tenantId = asked.of === "instance" ? installationId : parseId("tenant", asked.of ?? "");
  const use = asked.use === "receipt" || asked.use === "log" ? asked.use : undefined;
  const known = asked.verb === "list" || (asked.verb === "rotate" && use !== undefined);
  if (tenantId === undefined || !known) {
    print(keysUsage);
    return 2;
  }
  const { store } = config;
  const db = await openDatabase({
    store: store.kind === "pglite" ? store : { ...store, url: store.url.reveal() },
  });
  const dialer = createDialer({
    allow: config.egressAllow,
    maxResponseBytes: 1 << 20,
    connectTimeoutMs: 5_000,
  });
  try {
    const vault = createVault({ db, kek: keys.dataEncryption.reveal() });
    const { logOrigin } = config;
    const origin = config.http.publicUrl;
    const signers = createSigners({ db, vault, origin, logOrigin, holders: holdersOf({ config, dialer }) });
    const receipts = createReceipts({ db, vault, origin, logOrigin, signers, clock: systemClock });
    if (asked.verb === "list") {
      for (const key of await receipts.keys(tenantId))
        print(`${key.keyId}  ${key.use.padEnd(7)}  ${key.status.padEnd(8)}  ${key.createdAt}`);
      return 0;
    }
    if (tenantId !== installationId && (await receipts.keys(tenantId)).length === 0)
      throw new OarsError("TENANT_NOT_FOUND");
    const logged = async (): Promise<number> => 0; // keys are settled by the server
    const rotation = createSigningKeys({ db, signers, receipts, logged });
    const { current, previous, retiredAt } = await rotation.rotate({
      tenantId,
      use: use ?? "log",
      overlapMs: usualOverlapMs,
    });
    print(`${current} signs now; ${previous} may until ${retiredAt.toISOString()}.`);
    return 0;
  } finally {
    await dialer.close();
    await db.close();
  }
}
