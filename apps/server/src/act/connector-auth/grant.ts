import type { CookieJar } from "tough-cookie";
import type { CallContext } from "#act/connector-kit";
import type { Dialer } from "#platform/net";

/** What is sent with requests: an access token, or the cookies of a session as tough-cookie writes them. */
export interface Credential {
  readonly value: string;
  /** Renews the access token; kept beside it. */
  readonly refreshToken?: string | undefined;
  /** Milliseconds from now for which it holds; null: the other side does not say. */
  readonly lifetimeMs: number | null;
}

/** A credential in force, as a call uses it. */
export interface Grant {
  readonly value: string;
  /** Tells one credential of a connection from the next one. */
  readonly version: number;
  /** Of a session: with what answers to this process have set since the login. */
  readonly jar?: CookieJar | undefined;
}

/** What obtaining a credential may reach. */
export interface GrantIo {
  readonly dialer: Pick<Dialer, "request">;
  readonly tenantId: string;
  secrets(name: string): Promise<string>;
  readonly signal?: AbortSignal | undefined;
}

export const ioOf = (context: CallContext): GrantIo => ({
  dialer: context.dialer,
  tenantId: context.connection.tenantId,
  secrets: (name) => context.secrets(name),
});

/** A call to an authorization server or a login takes at most so long. */
export const grantTimeoutMs = 15_000;
export const mostGrantBytes = 65_536;
