import type { Database, Tx } from "#platform/db";
import { newId, OarsError } from "#platform/kernel";
import { createAccessLog, listUses, type SecretAccess, type SecretUse } from "./access-log.ts";
import {
  checkSecretName,
  keyNumberOf,
  openWith,
  purposeOfSecret,
  type SecretInfo,
  sealWith,
} from "./domain.ts";
import { createKeyRings } from "./key-rings.ts";
import { type KeyService, localKeys } from "./key-service.ts";
import { createSecretCache } from "./secret-cache.ts";
import { deleteSecretRow, findSealed, listKeks, listSecretRows, putSecretRow } from "./store.ts";
import { createSubjectKeys, isSubjectSealed } from "./subject-keys.ts";

/** Seals and opens for one tenant without waiting, for hot paths. */
export interface Sealer {
  readonly tenantId: string;
  seal(purpose: string, plain: Uint8Array): Uint8Array;
  /** Throws SECRET_UNREADABLE. */
  open(purpose: string, sealed: Uint8Array): Uint8Array;
}

export interface Vault {
  /** Stores or replaces a secret. The value is never returned by an API. Throws REQUEST_INVALID on its name. */
  putSecret(tx: Tx, tenantId: string, name: string, value: string, by?: string): Promise<SecretInfo>;
  /**
   * The value, for connectors and signature checks alone. May be up to 5 s old when another process replaced
   * it. Not inside a transaction. Throws SECRET_NOT_FOUND, SECRET_UNREADABLE.
   */
  readSecret(tenantId: string, name: string, use?: SecretUse): Promise<string>;
  /** Who used it for what, by the hour, newest first. */
  listUses(
    tenantId: string,
    name: string,
    page: { readonly limit: number; readonly before: string | undefined },
  ): Promise<SecretAccess[]>;
  /** Writes the uses that were counted; a process calls it every few seconds and before its end. */
  flushUses(): Promise<void>;
  /** Throws CONFIG_INVALID when there are data keys that none of the configured keys can unwrap. */
  check(): Promise<void>;
  /** The same bytes sealed with the newest data key. Throws SECRET_UNREADABLE. */
  reseal(tenantId: string, purpose: string, sealed: Uint8Array): Promise<Uint8Array>;
  listSecrets(tenantId: string): Promise<SecretInfo[]>;
  /** Throws SECRET_NOT_FOUND. */
  deleteSecret(tx: Tx, tenantId: string, name: string): Promise<void>;
  /** `purpose` names what the bytes are, such as `receipt/<id>`; they open for the same purpose alone. */
  seal(tenantId: string, purpose: string, plain: Uint8Array): Promise<Uint8Array>;
  /** Throws SECRET_UNREADABLE when key, tenant, purpose or any byte differs. */
  open(tenantId: string, purpose: string, sealed: Uint8Array): Promise<Uint8Array>;
  /** The tenant's sealer; made on first use. Inside a transaction pass it, or the embedded database waits for itself. */
  sealer(tenantId: string, within?: Tx): Promise<Sealer>;
  /**
   * Seals for people, under their own keys: `open` reads it until `eraseSubject` has deleted the key of one of them, and
   * throws SECRET_ERASED from then on. 1 to 16 subjects.
   */
  subjectSealer(
    tenantId: string,
    subjects: readonly string[],
    within?: Tx,
  ): Promise<Pick<Sealer, "tenantId" | "seal">>;
  /** Deletes a person's key, in the caller's transaction. Answers its id, or undefined when there is none. */
  eraseSubject(tx: Tx, tenantId: string, subject: string): Promise<string | undefined>;
}

export interface VaultDeps {
  readonly db: Database;
  /** What wraps data keys: 32 bytes, or VAULT_KEY_INVALID is thrown. In its place `keys`. */
  readonly kek?: Uint8Array;
  readonly keys?: KeyService;
  /** How long data keys serve before they are read and unwrapped anew; 60,000 when absent. */
  readonly ringMs?: number;
  readonly onError?: (error: unknown) => void;
}

const serverUse: SecretUse = { principalId: null, purpose: "server" };
const utf8 = new TextDecoder("utf-8", { fatal: true });

export function createVault(deps: VaultDeps): Vault {
  const { db, ringMs = 60_000, onError = () => {} } = deps;
  const keys = deps.keys ?? localKeys(deps.kek ?? new Uint8Array());
  const rings = createKeyRings({ db, keys, ringMs, onError });
  const uses = createAccessLog(db);
  const values = createSecretCache();

  const sealer = async (tenantId: string, within?: Tx): Promise<Sealer> => {
    const ring = rings.cached(tenantId) ?? (await rings.get(tenantId, within));
    return {
      tenantId,
      seal: (purpose, plain) => sealWith(ring, purpose, plain),
      open: (purpose, sealed) => openWith(ring, purpose, sealed),
    };
  };
  const openTenants = async (tenantId: string, purpose: string, sealed: Uint8Array, name?: string) => {
    const ring = await rings.get(tenantId);
    const known = ring.keys.has(keyNumberOf(sealed) ?? ring.current);
    return openWith(known ? ring : await rings.reload(tenantId), purpose, sealed, name);
  };
  const people = createSubjectKeys({ db, sealer, open: openTenants });
  const open = (tenantId: string, purpose: string, sealed: Uint8Array, name?: string): Promise<Uint8Array> =>
    isSubjectSealed(sealed)
      ? people.open(tenantId, purpose, sealed)
      : openTenants(tenantId, purpose, sealed, name);

  const readFresh = async (tenantId: string, name: string): Promise<string> => {
    const [row] = await deps.db.read(tenantId, (db) => findSealed(db, tenantId, name));
    if (!row) throw new OarsError("SECRET_NOT_FOUND", { name });
    return utf8.decode(await open(tenantId, purposeOfSecret(name), row.sealed, name));
  };

  return {
    putSecret: async (tx, tenantId, name, value, by) => {
      checkSecretName(name);
      const ring = await rings.get(tenantId, tx);
      const sealed = sealWith(ring, purposeOfSecret(name), new TextEncoder().encode(value));
      const [row] = await putSecretRow(tx, { tenantId, id: newId(), name, sealed, by: by ?? null });
      if (!row) throw new Error("an upsert returned no row");
      tx.onCommit(() => values.drop(tenantId, name));
      return row;
    },
    readSecret: async (tenantId, name, use = serverUse) => {
      const value = await values.get(tenantId, name, () => readFresh(tenantId, name));
      uses.used(tenantId, name, use);
      return value;
    },
    listUses: async (tenantId, name, page) => {
      await uses.flush();
      return db.read(tenantId, (reader) => listUses(reader, tenantId, name, page));
    },
    flushUses: uses.flush,
    check: async () => {
      const foreign = (await listKeks(db)).filter(({ kekId }) => !keys.knows(kekId));
      if (foreign.length === 0) return;
      const ids = foreign.map(({ kekId, tenants }) => `${kekId} (${tenants} tenants)`).join(", ");
      const message = `there are data sealed under ${ids}, and no key that is configured opens them; set OARS_DATA_ENCRYPTION_KEY to the key they were sealed with, or add it to OARS_DATA_ENCRYPTION_KEYS_MORE`;
      const errors = [{ path: "OARS_DATA_ENCRYPTION_KEY", code: "foreign", message }];
      throw new OarsError(
        "CONFIG_INVALID",
        { problems: `  OARS_DATA_ENCRYPTION_KEY: ${message}` },
        { errors },
      );
    },
    reseal: async (tenantId, purpose, sealed) => {
      if (isSubjectSealed(sealed)) return sealed; // under the keys of people, not the tenant's
      const plain = await open(tenantId, purpose, sealed);
      return sealWith(await rings.get(tenantId), purpose, plain);
    },
    listSecrets: (tenantId) => deps.db.read(tenantId, (db) => listSecretRows(db, tenantId)),
    deleteSecret: async (tx, tenantId, name) => {
      const [row] = await deleteSecretRow(tx, tenantId, name);
      if (!row) throw new OarsError("SECRET_NOT_FOUND", { name });
      tx.onCommit(() => values.drop(tenantId, name));
    },
    seal: async (tenantId, purpose, plain) => sealWith(await rings.get(tenantId), purpose, plain),
    open,
    sealer,
    subjectSealer: people.sealer,
    eraseSubject: people.erase,
  };
}
