/** Consents of people, for the connections that need one. */
import {
  beginConsent,
  type ConsentAnswer,
  type ConsentBegun,
  type ConsentDeps,
  type ConsentEnd,
  type Consenting,
  endConsent,
  type GrantIo,
  type Grants,
  grantOf,
  tenantOfState,
  webAuth,
} from "#act/connector-auth";
import type { ConnectionInfo } from "#act/connector-kit";
import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { findConnection, findConnectionById } from "./store.ts";

export interface ConsentsDeps extends ConsentDeps {
  readonly db: Database;
  readonly grants: Grants;
  readonly io: (connection: ConnectionInfo, by: string | null) => GrantIo;
}

export interface Consents {
  /** Throws CONNECTION_NOT_FOUND, CONNECTION_INVALID for one that needs no consent, and as `endpointsOf` says. */
  authorize(caller: Caller, name: string): Promise<ConsentBegun>;
  /** By the principal who began it. Gives the connection's name. Throws as `endConsent`. */
  endAuthorization(caller: Caller, answer: ConsentAnswer): Promise<string>;
  /** In the browser that began it, shown by its cookie. */
  endInBrowser(answer: ConsentAnswer, cookie: string | undefined): Promise<string>;
}

/** What a connection obtains for itself, by its config. */
export const specOf = (info: Pick<ConnectionInfo, "config">) => {
  const auth = webAuth.safeParse(info.config.auth);
  return auth.success ? grantOf(auth.data) : undefined;
};

export function createConsents(deps: ConsentsDeps): Consents {
  const consentOf = (info: ConnectionInfo) => {
    const spec = specOf(info);
    return spec?.kind === "token" && spec.oauth2.grant === "authorization_code" ? spec.oauth2 : undefined;
  };

  const end = async (tenantId: string, answer: ConsentAnswer, by: ConsentEnd): Promise<string> => {
    const find = async (id: string): Promise<Consenting | undefined> => {
      const info = await deps.db.read(tenantId, (db) => findConnectionById(db, tenantId, id));
      return info && { holder: info, oauth: consentOf(info), io: deps.io(info, null) };
    };
    const holder = await endConsent(deps, tenantId, answer, by, find);
    deps.grants.drop(tenantId, holder.id);
    return holder.name;
  };

  return {
    async authorize(caller, name) {
      requirePermission(caller, "connections:write");
      const { tenantId, principalId } = caller;
      const info = await deps.db.read(tenantId, (db) => findConnection(db, tenantId, name));
      if (info === undefined) throw new OarsError("CONNECTION_NOT_FOUND", { name });
      const oauth = consentOf(info);
      if (oauth === undefined) {
        const message = "is not oauth2 with the grant authorization_code: nobody needs to authorize it";
        throw new OarsError(
          "CONNECTION_INVALID",
          {},
          { errors: [{ path: "config.auth", code: "grant", message }] },
        );
      }
      return beginConsent(deps, info, oauth, principalId, deps.io(info, principalId));
    },
    async endAuthorization(caller, answer) {
      requirePermission(caller, "connections:write");
      const tenantId = tenantOfState(answer.state);
      if (tenantId !== caller.tenantId) throw unknownState();
      return end(tenantId, answer, { principalId: caller.principalId });
    },
    async endInBrowser(answer, cookie) {
      const tenantId = tenantOfState(answer.state);
      if (tenantId === undefined || cookie === undefined) throw unknownState();
      return end(tenantId, answer, { browser: cookie });
    },
  };
}

const unknownState = (): OarsError =>
  new OarsError("CONNECTION_AUTHORIZATION_INVALID", { reason: "its state is unknown, used or too old" });
