/** Credentials onto a request. */
import type { CallContext } from "#act/connector-kit";
import { OarsError } from "#platform/kernel";
import type { ClientIdentity } from "#platform/net";
import { type Grant, ioOf } from "./grant.ts";
import type { Grants } from "./grants.ts";
import { clientIdentity } from "./identity.ts";
import { grantOf, type WebAuth } from "./schema.ts";
import { cookiesFor, takeCookies } from "./session-login.ts";
import { type Signable, signRequest } from "./signature.ts";

/** A context whose connection may hold obtained credentials. */
export type AuthContext = CallContext & { readonly grants?: Grants | undefined };

export interface Authorized {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What must not come back to anyone. */
  readonly secrets: readonly string[];
  readonly identity?: ClientIdentity | undefined;
  /** Set where the credential was obtained and can be renewed. */
  readonly grant?: Grant | undefined;
}

/**
 * The request with the connection's credentials. `grant`: this one, in place of the one in force. Rejects with
 * SECRET_NOT_FOUND, SECRET_UNREADABLE, and as `Grants.get` says.
 */
export async function authorize(
  auth: WebAuth | undefined,
  context: AuthContext,
  request: Signable,
  grant?: Grant,
): Promise<Authorized> {
  const plain: Authorized = { url: request.url, headers: request.headers, secrets: [] };
  if (auth === undefined) return plain;
  const made = await withCredentials(auth, context, request, grant);
  if (auth.mtls === undefined) return made;
  const { identity, secrets } = await clientIdentity(auth.mtls, context);
  return { ...made, identity, secrets: [...made.secrets, ...secrets] };
}

async function withCredentials(
  auth: WebAuth,
  context: AuthContext,
  request: Signable,
  grant: Grant | undefined,
): Promise<Authorized> {
  const { url, headers } = request;
  const spec = grantOf(auth);
  if (spec !== undefined) return withGrant(request, grant ?? (await inForce(auth, context)));
  if (auth.query !== undefined) {
    const value = await context.secrets(auth.query.value);
    const target = new URL(url);
    target.searchParams.append(auth.query.name, value);
    return { url: target.href, headers, secrets: [value] };
  }
  if (auth.hmac !== undefined) {
    const secret = await context.secrets(auth.hmac.secret);
    return { url, headers: { ...headers, ...signRequest(auth.hmac, secret, request) }, secrets: [secret] };
  }
  const { more, secrets } = await ownHeaders(auth, context);
  return { url, headers: { ...headers, ...more }, secrets };
}

async function ownHeaders(auth: WebAuth, context: AuthContext) {
  if (auth.bearer !== undefined) {
    const token = await context.secrets(auth.bearer);
    return { more: { authorization: `Bearer ${token}` }, secrets: [token] };
  }
  if (auth.basic !== undefined) {
    const password = await context.secrets(auth.basic.password);
    const pair = Buffer.from(`${auth.basic.username}:${password}`).toString("base64");
    return { more: { authorization: `Basic ${pair}` }, secrets: [password, pair] };
  }
  if (auth.header === undefined) return { more: {}, secrets: [] };
  const value = await context.secrets(auth.header.value);
  const { name, prefix = "" } = auth.header;
  return { more: { [name.toLowerCase()]: `${prefix}${value}` }, secrets: [value] };
}

function inForce(auth: WebAuth, context: AuthContext): Promise<Grant> | Grant {
  const spec = grantOf(auth);
  if (spec === undefined || context.grants === undefined)
    throw new OarsError("CONNECTION_AUTHORIZATION_NEEDED", { name: context.connection.name });
  return context.grants.get(context.connection, spec, ioOf(context));
}

function withGrant(request: Signable, grant: Grant): Authorized {
  const { url, headers } = request;
  if (grant.jar === undefined) {
    const authorization = `Bearer ${grant.value}`;
    return { url, headers: { ...headers, authorization }, secrets: [grant.value], grant };
  }
  const { header, values } = cookiesFor(grant.jar, url);
  const cookie = header === "" ? {} : { cookie: header };
  return { url, headers: { ...headers, ...cookie }, secrets: values, grant };
}

export interface Answered {
  readonly status: number;
  readonly setCookie?: readonly string[] | undefined;
}

/** Hears an answer: cookies of a session go on; true when the credential was refused. */
export function heard(auth: WebAuth | undefined, authorized: Authorized, answer: Answered): boolean {
  const { grant } = authorized;
  if (auth === undefined || grant === undefined) return false;
  const ended = auth.session?.ended ?? [401];
  if (ended.includes(answer.status)) return true;
  if (grant.jar !== undefined && answer.setCookie !== undefined)
    takeCookies(grant.jar, answer.setCookie, authorized.url);
  return false;
}

/** Another credential in place of the refused one; undefined when there is none to be had. Rejects as `Grants.get`. */
export async function renew(auth: WebAuth, context: AuthContext, refused: Grant): Promise<Grant | undefined> {
  const spec = grantOf(auth);
  if (spec === undefined || context.grants === undefined) return undefined;
  return context.grants.renewed(context.connection, spec, ioOf(context), refused);
}
