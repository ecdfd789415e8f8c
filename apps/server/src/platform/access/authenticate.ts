/**
 * From a credential to a Caller. What a credential resolves to is remembered for 5 s: that is how long another
 * process may still accept a key that was revoked here; this process forgets it at once.
 */
import type { Database } from "#platform/db";
import { type Clock, OarsError, parseId } from "#platform/kernel";
import { isKeyOf, looksLikeApiKey, prefixOf } from "./api-key.ts";
import { type Caller, toCaller, toTenantId } from "./domain.ts";
import { createRecent } from "./recent.ts";
import type { Sessions } from "./sessions.ts";
import { findIdentity, findPrincipalIdByName, touchKey } from "./store.ts";
import { findLiveKey } from "./system-store.ts";

export interface Authenticator {
  authenticate(authorization: string | undefined, tenantHeader?: string): Promise<Caller>;
  callerFor(tenantId: string, principalId: string): Promise<Caller>;
  whoIs(tenantId: string, principalId: string): Promise<Caller>;
  principalNamed(tenantId: string, text: string): Promise<Caller | undefined>;
  /** Forgets what is remembered of a principal. */
  forget(tenantId: string, principalId: string): void;
  /** Resolves when the notes of last use that are under way are written. */
  settle(): Promise<void>;
}

interface KnownKey {
  readonly caller: Caller;
  readonly hash: Uint8Array;
  readonly expiresAt: number;
  /** When its use is to be noted again. */
  noteAt: number;
}

interface KnownPrincipal {
  readonly caller: Caller;
  readonly active: boolean;
}

const lifeMs = 5000;
const most = 10_000;
const noteEveryMs = 60_000;

export function createAuthenticator(deps: { db: Database; sessions: Sessions; clock: Clock }): Authenticator {
  const { db } = deps;
  const now = (): number => deps.clock.now().getTime();
  const keys = createRecent<KnownKey>({ lifeMs, most, now });
  const principals = createRecent<KnownPrincipal>({ lifeMs, most, now });
  const notes = new Set<Promise<unknown>>();

  const findKey = async (prefix: string): Promise<KnownKey | undefined> => {
    const [row] = await findLiveKey(db, prefix);
    if (!row) return undefined;
    return {
      caller: toCaller(row, { kind: "api_key", id: row.keyId }),
      hash: row.hash,
      expiresAt: row.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
      noteAt: (row.lastUsedAt?.getTime() ?? Number.NEGATIVE_INFINITY) + noteEveryMs,
    };
  };

  const byKey = async (key: string): Promise<Caller> => {
    const prefix = prefixOf(key);
    const found = prefix === undefined ? undefined : await keys.get(prefix, () => findKey(prefix));
    if (!found || !isKeyOf(key, found.hash) || found.expiresAt <= now())
      throw new OarsError("AUTH_KEY_INVALID");
    if (found.noteAt <= now()) {
      found.noteAt = now() + noteEveryMs;
      const { tenantId, credential } = found.caller;
      const note: Promise<unknown> = db
        .tx(tenantId, (tx) => touchKey(tx, tenantId, credential.id))
        .catch(() => {}) // last use is a courtesy: a request never fails for it
        .finally(() => notes.delete(note));
      notes.add(note);
    }
    return found.caller;
  };

  const principal = (tenantId: string, id: string, keyId: string | null) =>
    principals.get(`${tenantId}/${id}/${keyId ?? ""}`, async () => {
      const [row] = await db.read(tenantId, (tenantDb) => findIdentity(tenantDb, tenantId, id, keyId));
      return row && { caller: toCaller(row, { kind: "internal", id }), active: row.status === "active" };
    });

  const byToken = async (token: string): Promise<Caller> => {
    const session = await deps.sessions.read(token);
    const found = await principal(session.tenantId, session.principalId, session.keyId);
    if (!found?.active) throw new OarsError("AUTH_TOKEN_INVALID");
    const keyId = session.keyId === null ? {} : { keyId: session.keyId };
    return { ...found.caller, credential: { kind: "token", id: session.tokenId, ...keyId } };
  };

  return {
    authenticate: async (authorization, tenantHeader) => {
      const credential = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
      if (!credential) throw new OarsError("AUTH_REQUIRED");
      const caller = await (looksLikeApiKey(credential) ? byKey(credential) : byToken(credential));
      if (tenantHeader !== undefined && toTenantId(tenantHeader) !== caller.tenantId) {
        throw new OarsError("AUTH_TENANT_FORBIDDEN");
      }
      return caller;
    },
    callerFor: async (tenantId, principalId) => {
      const found = await principal(tenantId, principalId, null);
      if (!found) throw new OarsError("PRINCIPAL_NOT_FOUND");
      if (!found.active) throw new OarsError("PRINCIPAL_DISABLED", { name: found.caller.principalName });
      return found.caller;
    },
    whoIs: async (tenantId, principalId) => {
      const found = await principal(tenantId, principalId, null);
      if (!found) throw new OarsError("PRINCIPAL_NOT_FOUND");
      return found.caller;
    },
    principalNamed: async (tenantId, text) => {
      const id =
        parseId("principal", text) ??
        (await db.read(tenantId, (tenantDb) => findPrincipalIdByName(tenantDb, tenantId, text)));
      const found = id === undefined ? undefined : await principal(tenantId, id, null);
      return found?.active ? found.caller : undefined;
    },
    forget: (tenantId, principalId) => {
      const hits = ({ caller }: { caller: Caller }): boolean =>
        caller.tenantId === tenantId && caller.principalId === principalId;
      keys.drop(hits);
      principals.drop(hits);
    },
    settle: async () => {
      await Promise.all(notes);
    },
  };
}
