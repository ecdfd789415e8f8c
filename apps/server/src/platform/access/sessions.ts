/**
 * Session tokens: JWTs signed with HS256 by this installation and read by it alone. They say who, never what
 * that may do: roles are read when the token is used. `alg`, `typ`, issuer and audience are pinned (RFC 8725).
 */
import { createSecretKey } from "node:crypto";
import { errors, jwtVerify, SignJWT } from "jose";
import { type Clock, isUuid, newId, OarsError } from "#platform/kernel";

export interface Session {
  readonly tokenId: string;
  readonly tenantId: string;
  readonly principalId: string;
  /** The API key that the token was issued to, if any. */
  readonly keyId: string | null;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: Date;
}

export interface Sessions {
  issue(who: Omit<Session, "tokenId">): Promise<IssuedToken>;
  /** Throws AUTH_TOKEN_EXPIRED or AUTH_TOKEN_INVALID. */
  read(token: string): Promise<Session>;
}

const typ = "oars-session+jwt";
const issuer = "oars";
const audience = "oars-api";
export const tokenLifeMs = 3_600_000;

export function createSessions(deps: { jwtSecret: string; clock: Clock }): Sessions {
  if (deps.jwtSecret.length < 32) throw new RangeError("the JWT secret needs 32 characters or more");
  const key = createSecretKey(deps.jwtSecret, "utf8");

  return {
    issue: async (who) => {
      const now = Math.floor(deps.clock.now().getTime() / 1000);
      const expires = now + tokenLifeMs / 1000;
      const token = await new SignJWT({ tid: who.tenantId, ...(who.keyId ? { key: who.keyId } : {}) })
        .setProtectedHeader({ alg: "HS256", typ })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(who.principalId)
        .setJti(newId())
        .setIssuedAt(now)
        .setExpirationTime(expires)
        .sign(key);
      return { token, expiresAt: new Date(expires * 1000) };
    },
    read: async (token) => {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ["HS256"],
          typ,
          issuer,
          audience,
          currentDate: deps.clock.now(),
          requiredClaims: ["sub", "jti", "tid", "iat", "exp"],
        });
        return toSession(payload);
      } catch (cause) {
        if (cause instanceof errors.JWTExpired) throw new OarsError("AUTH_TOKEN_EXPIRED", {}, { cause });
        throw new OarsError("AUTH_TOKEN_INVALID", {}, { cause });
      }
    },
  };
}

function toSession(payload: Readonly<Record<string, unknown>>): Session {
  const { jti, tid, sub, key = null } = payload;
  const isId = (value: unknown): value is string => typeof value === "string" && isUuid(value);
  if (!isId(jti) || !isId(tid) || !isId(sub) || (key !== null && !isId(key))) {
    throw new TypeError("a claim has the wrong form");
  }
  return { tokenId: jti, tenantId: tid, principalId: sub, keyId: key };
}
