import type { Database, Tx } from "#platform/db";
import { newId, OarsError } from "#platform/kernel";
import {
  checkSecretName,
  keyNumberOf,
  openWith,
  purposeOfSecret,
  type SecretInfo,
  sealWith,
} from "./domain.ts";
import { createKeyRings } from "./key-rings.ts";
import { createSecretCache } from "./secret-cache.ts";
import { deleteSecretRow, findSealed, listSecretRows, putSecretRow } from "./store.ts";
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
  readSecret(tenantId: string, name: string): Promise<string>;
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
  /** The key-encryption key: 32 bytes, or VAULT_KEY_INVALID is thrown. */
  readonly kek: Uint8Array;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

export function createVault(deps: VaultDeps): Vault {
  const rings = createKeyRings(deps);
  const values = createSecretCache();

  const sealer = async (tenantId: string, within?: Tx): Promise<Sealer> => {
    const ring = rings.cached(tenantId) ?? (await rings.get(tenantId, within));
    return {
      tenantId,
      seal: (purpose, plain) => sealWith(ring, purpose, plain),
      open: (purpose, sealed) => openWith(ring, purpose, sealed),
    };
  };
  const people = createSubjectKeys({ db: deps.db, sealer });

  const open = async (tenantId: string, purpose: string, sealed: Uint8Array, name?: string) => {
    if (isSubjectSealed(sealed)) return people.open(tenantId, purpose, sealed);
    const ring = await rings.get(tenantId);
    const known = ring.keys.has(keyNumberOf(sealed) ?? ring.current);
    return openWith(known ? ring : await rings.reload(tenantId), purpose, sealed, name);
  };

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
    readSecret: (tenantId, name) => values.get(tenantId, name, () => readFresh(tenantId, name)),
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
