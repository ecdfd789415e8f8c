/**
 * Signing keys of tenants. Owns: making, sealing and remembering them. Each tenant has one active key for
 * receipts and another for its log; both are made on first use, together with the tenant's issuer and log
 * origin. When many processes are first at once, all of them use the keys that became durable.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { publicKeyOf } from "@oars/receipts/node";
import type { Database, Tx } from "#platform/db";
import { formatId } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { insertKeys, listKeys, type NewKey, type StoredKey } from "./key-store.ts";

export interface Signer {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

export interface TenantSigners {
  readonly tenantId: string;
  readonly issuer: string;
  /** Origin line of the tenant's log. */
  readonly origin: string;
  readonly receipt: Signer;
  readonly log: Signer;
}

export interface Signers {
  /** Inside a transaction pass it: the embedded database would wait for itself. */
  get(tenantId: string, within?: Tx): Promise<TenantSigners>;
  cached(tenantId: string): TenantSigners | undefined;
}

export interface SignersDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "sealer">;
  /** Public URL of this server, as the first keys of a tenant will name it. */
  readonly origin: string;
  /** First part of log origins; the host of `origin` when absent. */
  readonly logOrigin?: string;
}

const mostTenants = 10_000;
const purposeOf = (kid: string): string => `signing-key/${kid}`;

export function createSigners(deps: SignersDeps): Signers {
  const known = new Map<string, TenantSigners>();
  const loading = new Map<string, Promise<TenantSigners>>();

  const keep = (signers: TenantSigners): TenantSigners => {
    const oldest = known.size >= mostTenants ? known.keys().next().value : undefined;
    if (oldest !== undefined) known.delete(oldest);
    known.set(signers.tenantId, signers);
    return signers;
  };

  const load = (tenantId: string): Promise<TenantSigners> => {
    const pending = loading.get(tenantId);
    if (pending !== undefined) return pending;
    const started = deps.db
      .tx(tenantId, (tx) => readOrMake(deps, tx, tenantId))
      .then(keep)
      .finally(() => loading.delete(tenantId));
    loading.set(tenantId, started);
    return started;
  };

  return {
    cached: (tenantId) => known.get(tenantId),
    get: async (tenantId, within) => {
      const found = known.get(tenantId);
      if (found) return found;
      if (!within) return load(tenantId);
      const made = await readOrMake(deps, within, tenantId);
      within.onCommit(() => keep(made)); // a key that was rolled back must not sign anything
      return made;
    },
  };
}

async function readOrMake(deps: SignersDeps, tx: Tx, tenantId: string): Promise<TenantSigners> {
  const sealer = await deps.vault.sealer(tenantId, tx);
  let rows = await listKeys(tx, tenantId);
  if (!rows.some((row) => row.status === "active")) {
    const names = namesOf(deps, tenantId);
    const seal = (kid: string, der: Uint8Array): Uint8Array => sealer.seal(purposeOf(kid), der);
    await insertKeys(tx, [
      makeKey(tenantId, "receipt", names.issuer, seal),
      makeKey(tenantId, "log", names.origin, seal),
    ]);
    rows = await listKeys(tx, tenantId);
  }
  const open = (row: StoredKey): Signer => ({
    kid: row.kid,
    privateKey: createPrivateKey({
      key: Buffer.from(sealer.open(purposeOf(row.kid), row.privateSealed)),
      format: "der",
      type: "pkcs8",
    }),
  });
  const [receipt, log] = [activeOf(rows, "receipt"), activeOf(rows, "log")];
  return { tenantId, issuer: receipt.name, origin: log.name, receipt: open(receipt), log: open(log) };
}

export function activeOf(rows: readonly StoredKey[], use: StoredKey["use"]): StoredKey {
  const found = rows.find((row) => row.use === use && row.status === "active");
  if (!found) throw new Error(`the tenant has no active ${use} key`);
  return found;
}

/** Issuer and log origin of a tenant on this server. */
function namesOf(deps: SignersDeps, tenantId: string): { issuer: string; origin: string } {
  const base = deps.origin.replace(/\/+$/, "");
  const tenant = formatId("tenant", tenantId);
  const log = deps.logOrigin ?? base.replace(/^https?:\/\//, "");
  return { issuer: `${base}/t/${tenant}`, origin: `${log}/log/${tenant}` };
}

function makeKey(
  tenantId: string,
  use: StoredKey["use"],
  name: string,
  seal: (kid: string, der: Uint8Array) => Uint8Array,
): NewKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { raw, keyId } = publicKeyOf(privateKey);
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  const row = {
    tenantId,
    kid: keyId,
    use,
    name,
    publicX: Buffer.from(raw).toString("base64url"),
    privateSealed: seal(keyId, der),
  };
  der.fill(0);
  return row;
}
