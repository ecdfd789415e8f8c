/** `oars-server vault`: rotation of keys, and how they stand. */
import type { Config, Keys } from "#platform/config";
import { type Database, openDatabase } from "#platform/db";
import { createSecurityEvents } from "#platform/events";
import { OarsError } from "#platform/kernel";
import { listKeks, type RotationDeps, rewrapKeys, rotateDataKeys } from "#platform/vault";
import { openVault, sealedTables } from "./compose-vault.ts";
import { faultAt } from "./fault-point.ts";

export const vaultUsage = `Usage: oars-server vault <command>

  status               which keys wrap how many data keys
  rotate               wraps every data key with the configured key
  rotate --data-keys   also gives every tenant a new data key and seals everything anew

Servers go on meanwhile. What was cut off goes on when it is run again.
`;

export interface VaultCommand {
  readonly config: Config;
  readonly keys: Keys;
  readonly print: (line: string) => void;
  readonly kill: () => void;
}

/** The exit code. Errors: CONFIG_INVALID, STORE_LOCKED, KMS_UNAVAILABLE. */
export async function vaultCommand(
  given: VaultCommand,
  words: readonly string[],
  options: { readonly dataKeys: boolean },
): Promise<number> {
  const [command] = words;
  if (command !== "status" && command !== "rotate") {
    given.print(vaultUsage);
    return 2;
  }
  const { store } = given.config;
  const db = await openDatabase({
    store: store.kind === "pglite" ? store : { ...store, url: store.url.reveal() },
  });
  try {
    return await (command === "status" ? status(given, db) : rotate(given, db, options));
  } finally {
    await db.close();
  }
}

async function status({ print }: VaultCommand, db: Database): Promise<number> {
  const keks = await listKeks(db);
  if (keks.length === 0) print("There are no data keys yet.");
  for (const { kekId, keys, tenants } of keks)
    print(`${kekId}  wraps ${keys} data keys of ${tenants} tenants`);
  return 0;
}

async function rotate(
  { config, keys, print, kill }: VaultCommand,
  db: Database,
  options: { readonly dataKeys: boolean },
): Promise<number> {
  const opened = await openVault(db, config, keys);
  try {
    const deps: RotationDeps = {
      db,
      keys: opened.keyService,
      tables: sealedTables,
      reseal: opened.vault.reseal,
      ringMs: config.kms.cacheMs,
      report: print,
      fault: faultAt(config.faultPoint, kill),
    };
    const rewrapped = await rewrapKeys(deps);
    const renewed = options.dataKeys ? await rotateDataKeys(deps) : undefined;
    if (rewrapped.resumed || renewed?.resumed) print("A rotation that had been cut off was completed.");
    await tell(db, rewrapped.rewrapped, renewed?.resealed ?? null);
    return 0;
  } finally {
    await opened.close();
  }
}

/** The operator's own tenant hears of it. */
async function tell(db: Database, rewrapped: number, resealed: number | null): Promise<void> {
  const [first] = await db.system.query<{ tenantId: string }>(firstTenant);
  if (first === undefined) return;
  const events = createSecurityEvents({
    db,
    onError: (error) => {
      throw new OarsError("SERVER_FAILED", {}, { cause: error });
    },
  });
  await db.tx(first.tenantId, (tx) =>
    events.record(tx, {
      tenantId: first.tenantId,
      type: "vault.rotated",
      details: { rewrapped, resealed },
    }),
  );
}

const firstTenant = {
  text: '/* vault.first_tenant */ select tenant_id as "tenantId" from installation limit 1',
  values: [],
};
