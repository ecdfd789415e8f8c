/**
 * Keys of data subjects: each person's data is sealed under a key of their own, so that erasing them is deleting
 * one row. Data about several people is sealed under all of their keys together and goes with the first.
 *
 * Frame: `02 | count (1) | key ids (16 each) | nonce (24) | tag (16) | ciphertext`, XAES-256-GCM under
 * HMAC-SHA-256(keys in that order). Tenant and purpose are associated data.
 *
 * S1 a key exists once: who makes it first wins, everywhere.
 * S2 opening reads the key from the database each time, so nothing is shown after an erasure that is durable.
 * S3 sealing remembers a key for up to a minute: what another process seals in the minute after an erasure may be
 *    sealed under the erased key, and is then erased too.
 */
import { createHmac, randomBytes } from "node:crypto";
import { type Database, type Db, sql, type Tx } from "#platform/db";
import { newId, OarsError } from "#platform/kernel";
import type { SealedTable } from "./rotation.ts";
import type { Sealer } from "./service.ts";
import { toXaesKey, type XaesKey, xaesOpen, xaesSeal } from "./xaes.ts";

const format = 2;
const idBytes = 16;
const mostSubjects = 16;
const rememberMs = 60_000;
const mostRemembered = 10_000;

export interface SubjectKeys {
  /** Seals for those people; makes their keys on first use. Inside a transaction pass it. */
  sealer(
    tenantId: string,
    subjects: readonly string[],
    within?: Tx,
  ): Promise<Pick<Sealer, "tenantId" | "seal">>;
  /** Throws SECRET_ERASED when one of the keys is gone, SECRET_UNREADABLE for bytes that were changed or moved. */
  open(tenantId: string, purpose: string, sealed: Uint8Array): Promise<Uint8Array>;
  /** Deletes the key, in the caller's transaction. Answers its id, or undefined when there is none. */
  erase(tx: Tx, tenantId: string, subject: string): Promise<string | undefined>;
}

export interface SubjectKeysDeps {
  readonly db: Database;
  readonly sealer: (tenantId: string, within?: Tx) => Promise<Sealer>;
  /** Opens under whichever of the tenant's keys it was sealed. Not inside a transaction. */
  readonly open: (tenantId: string, purpose: string, sealed: Uint8Array) => Promise<Uint8Array>;
}

interface SubjectKey {
  readonly id: string;
  readonly key: Uint8Array;
}

interface Ring {
  readonly ids: readonly string[];
  readonly key: XaesKey;
  readonly madeAt: number;
}

export const isSubjectSealed = (sealed: Uint8Array): boolean => sealed[0] === format && sealed.length > 2;

export function createSubjectKeys(deps: SubjectKeysDeps): SubjectKeys {
  const rings = new Map<string, Ring>();
  const making = new Map<string, Promise<Ring>>();
  const opening = new Map<string, Promise<SubjectKey[]>>();
  const nameOf = (tenantId: string, subjects: readonly string[]): string =>
    `${tenantId}\0${subjects.join("\0")}`;

  const unseal = async (tenantId: string, rows: readonly Row[], within?: Tx): Promise<SubjectKey[]> => {
    if (within) {
      const tenant = await deps.sealer(tenantId, within);
      return rows.map(({ id, sealed }) => ({ id, key: tenant.open(purposeOf(id), sealed) }));
    }
    const open = async ({ id, sealed }: Row): Promise<SubjectKey> => ({
      id,
      key: await deps.open(tenantId, purposeOf(id), sealed),
    });
    return Promise.all(rows.map(open));
  };

  const readOrMake = async (tx: Tx, tenantId: string, subjects: readonly string[]): Promise<Ring> => {
    let rows = await readBySubject(tx, tenantId, subjects);
    const missing = subjects.filter((subject) => !rows.some((row) => row.subject === subject));
    if (missing.length > 0) {
      const tenant = await deps.sealer(tenantId, tx);
      for (const subject of missing) {
        const id = newId();
        await insertKey(tx, { tenantId, id, subject, sealed: tenant.seal(purposeOf(id), randomBytes(32)) });
      }
      rows = await readBySubject(tx, tenantId, subjects);
    }
    if (rows.length !== subjects.length) throw new Error("the key of a data subject could not be made");
    const keys = await unseal(tenantId, rows, tx);
    return { ids: rows.map(({ id }) => id), key: combined(keys), madeAt: performance.now() };
  };

  const ringOf = async (tenantId: string, given: readonly string[], within?: Tx): Promise<Ring> => {
    const subjects = [...new Set(given)].sort();
    if (subjects.length === 0 || subjects.length > mostSubjects)
      throw new RangeError(`data is of 1 to ${mostSubjects} subjects`);
    const name = nameOf(tenantId, subjects);
    const known = rings.get(name);
    if (known && performance.now() - known.madeAt < rememberMs) return known;
    const keep = (ring: Ring): void => {
      if (rings.size >= mostRemembered) rings.clear();
      rings.set(name, ring);
    };
    if (within) {
      const made = await readOrMake(within, tenantId, subjects);
      within.onCommit(() => keep(made)); // a key that was rolled back must not seal anything
      return made;
    }
    const running = making.get(name);
    if (running !== undefined) return running;
    const started = deps.db
      .tx(tenantId, (tx) => readOrMake(tx, tenantId, subjects))
      .then((made) => {
        keep(made);
        return made;
      })
      .finally(() => making.delete(name));
    making.set(name, started);
    return started;
  };

  /** [S2] Those who open at the same moment share one look. */
  const keysOf = (tenantId: string, ids: readonly string[]): Promise<SubjectKey[]> => {
    const name = nameOf(tenantId, ids);
    const running = opening.get(name);
    if (running !== undefined) return running;
    const started = deps.db
      .read(tenantId, (db) => readById(db, tenantId, ids))
      .then((rows) => unseal(tenantId, rows))
      .finally(() => opening.delete(name));
    opening.set(name, started);
    return started;
  };

  return {
    sealer: async (tenantId, subjects, within) => {
      const { ids, key } = await ringOf(tenantId, subjects, within);
      const header = Buffer.concat([Buffer.of(format, ids.length), ...ids.map(bytesOfId)]);
      return {
        tenantId,
        seal: (purpose, plain) =>
          Buffer.concat([header, xaesSeal(key, plain, associated(tenantId, purpose))]),
      };
    },
    open: async (tenantId, purpose, sealed) => {
      const { ids, body } = parseFrame(sealed);
      const keys = await keysOf(tenantId, ids);
      if (keys.length !== ids.length) throw new OarsError("SECRET_ERASED");
      try {
        return xaesOpen(combined(keys), body, associated(tenantId, purpose));
      } catch (cause) {
        throw new OarsError("SECRET_UNREADABLE", { name: purpose }, { cause });
      }
    },
    erase: async (tx, tenantId, subject) => {
      const [row] = await deleteKey(tx, tenantId, subject);
      tx.onCommit(() => {
        for (const [name, ring] of rings) if (row && ring.ids.includes(row.id)) rings.delete(name);
      });
      return row?.id;
    },
  };
}

function parseFrame(sealed: Uint8Array): { ids: string[]; body: Uint8Array } {
  const count = sealed[1] ?? 0;
  const end = 2 + count * idBytes;
  if (count === 0 || count > mostSubjects || sealed.length <= end)
    throw new OarsError("SECRET_UNREADABLE", { name: "of a data subject" });
  const ids = Array.from({ length: count }, (_, i) =>
    idOfBytes(sealed.subarray(2 + i * idBytes, 18 + i * idBytes)),
  );
  return { ids, body: sealed.subarray(end) };
}

/** In the order of the frame, which is that of the subjects' names. */
function combined(keys: readonly SubjectKey[]): XaesKey {
  const mac = createHmac("sha256", "oars/subject-keys/1");
  for (const { key } of keys) mac.update(key);
  return toXaesKey(mac.digest());
}

const purposeOf = (id: string): string => `subject-key/${id}`;
const associated = (tenantId: string, purpose: string): Uint8Array =>
  Buffer.from(`oars/sealed/${format}\0${tenantId}\0${purpose}`);
const bytesOfId = (id: string): Buffer => Buffer.from(id.replaceAll("-", ""), "hex");
const idOfBytes = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

interface Row {
  readonly id: string;
  readonly subject: string;
  readonly sealed: Uint8Array;
}

const readBySubject = (db: Db, tenantId: string, subjects: readonly string[]): Promise<Row[]> =>
  db.query(sql`/* vault.readSubjectKeys */
    select k.id, k.subject, k.sealed from subject_key k
    where k.tenant_id = ${tenantId} and k.subject = any(${[...subjects]}::text[])
    order by array_position(${[...subjects]}::text[], k.subject)`);

const readById = (db: Db, tenantId: string, ids: readonly string[]): Promise<Row[]> =>
  db.query(sql`/* vault.findSubjectKeys */
    select k.id, k.subject, k.sealed from subject_key k
    where k.tenant_id = ${tenantId} and k.id = any(${[...ids]}::uuid[])
    order by array_position(${[...ids]}::uuid[], k.id)`);

/** [S1] */
const insertKey = (
  tx: Tx,
  k: { tenantId: string; id: string; subject: string; sealed: Uint8Array },
): Promise<unknown> =>
  tx.query(sql`/* vault.insertSubjectKey */
    insert into subject_key (tenant_id, id, subject, sealed) values (${k.tenantId}, ${k.id}, ${k.subject}, ${k.sealed})
    on conflict (tenant_id, subject) do nothing`);

const deleteKey = (tx: Tx, tenantId: string, subject: string): Promise<{ id: string }[]> =>
  tx.query(sql`/* vault.deleteSubjectKey */
    delete from subject_key where tenant_id = ${tenantId} and subject = ${subject} returning id`);

/** Keys of people, as the rotation of the tenant's keys sees them. */
export const sealedSubjectKeys: SealedTable = {
  name: "subject_key",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* vault.listSealedSubjectKeys */
      select id, 'subject-key/' || id as purpose, sealed from subject_key
      where tenant_id = ${tenantId} and substring(sealed from 1 for 5) <> ${header}
        and (${after}::uuid is null or id > ${after}::uuid)
      order by id limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* vault.replaceSubjectKey */
      update subject_key set sealed = ${sealed}
      where tenant_id = ${tenantId} and id = ${row.id} and sealed = ${row.sealed}`),
};
