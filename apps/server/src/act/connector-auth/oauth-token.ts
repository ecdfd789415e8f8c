/** Requests to a token endpoint (RFC 6749 §3.2). */
import { z } from "zod";
import { OarsError } from "#platform/kernel";
import { signAssertion } from "./assertion.ts";
import { type Credential, type GrantIo, grantTimeoutMs, mostGrantBytes } from "./grant.ts";
import { jsonOf, unavailable } from "./grant-answer.ts";
import { endpointsOf } from "./oauth-metadata.ts";
import { clientAuthOf, type OAuth } from "./oauth-schema.ts";

const answered = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]{1,20000}$/),
  token_type: z.string().transform((text) => text.toLowerCase()),
  expires_in: z.coerce.number().positive().max(315_360_000).optional(),
  refresh_token: z.string().min(1).max(20_000).optional(),
});

/** What a person's consent gave: the code, and what only this client knows (RFC 7636). */
export interface Consent {
  readonly code: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

/**
 * A new access token. With authorization_code: by `consent`, else by the refresh token of the one before.
 * Throws CONNECTION_AUTHORIZATION_NEEDED, CONNECTION_AUTH_FAILED, CONNECTION_AUTH_UNAVAILABLE and what the
 * guard of addresses refuses.
 */
export async function obtainToken(
  oauth: OAuth,
  before: { readonly refreshToken?: string | undefined; readonly consent?: Consent },
  io: GrantIo,
): Promise<Credential> {
  const { tokenUrl } = await endpointsOf(oauth, io);
  const form = new URLSearchParams();
  if (oauth.grant === "client_credentials") form.set("grant_type", "client_credentials");
  else if (oauth.grant === "jwt_bearer") await addAssertion(form, oauth, tokenUrl, io);
  else if (before.consent !== undefined) addConsent(form, before.consent);
  else if (before.refreshToken !== undefined) {
    form.set("grant_type", "refresh_token");
    form.set("refresh_token", before.refreshToken);
  } else throw new OarsError("CONNECTION_AUTHORIZATION_NEEDED");
  if (oauth.scopes.length > 0 && before.consent === undefined) form.set("scope", oauth.scopes.join(" "));
  for (const resource of oauth.resource) form.append("resource", resource);
  if (oauth.audience !== undefined) form.set("audience", oauth.audience);
  const headers = await proveClient(form, oauth, tokenUrl, io);
  const token = await ask(tokenUrl, form, headers, io, before.consent === undefined);
  return {
    value: token.access_token,
    refreshToken:
      oauth.grant === "authorization_code" ? (token.refresh_token ?? before.refreshToken) : undefined,
    lifetimeMs: token.expires_in === undefined ? null : token.expires_in * 1_000,
  };
}

function addConsent(form: URLSearchParams, consent: Consent): void {
  form.set("grant_type", "authorization_code");
  form.set("code", consent.code);
  form.set("redirect_uri", consent.redirectUri);
  form.set("code_verifier", consent.verifier);
}

async function addAssertion(
  form: URLSearchParams,
  oauth: Extract<OAuth, { grant: "jwt_bearer" }>,
  tokenUrl: string,
  io: GrantIo,
): Promise<void> {
  const { assertion } = oauth;
  form.set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
  form.set(
    "assertion",
    await signAssertion(assertion, await io.secrets(assertion.key), {
      issuer: assertion.issuer,
      subject: assertion.subject,
      audience: assertion.audience ?? tokenUrl,
      lifetimeSeconds: assertion.lifetime,
      more: assertion.claims,
    }),
  );
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they become Basic credentials. */
const formEncoded = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2);

async function proveClient(
  form: URLSearchParams,
  oauth: OAuth,
  tokenUrl: string,
  io: GrantIo,
): Promise<Record<string, string>> {
  const way = clientAuthOf(oauth);
  const secret = oauth.clientSecret === undefined ? "" : await io.secrets(oauth.clientSecret);
  if (way === "basic") {
    const pair = `${formEncoded(oauth.clientId)}:${formEncoded(secret)}`;
    return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
  }
  form.set("client_id", oauth.clientId);
  if (way === "post") form.set("client_secret", secret);
  if (way === "private_key_jwt" && oauth.clientKey !== undefined) {
    const claims = {
      issuer: oauth.clientId,
      subject: oauth.clientId,
      audience: tokenUrl,
      lifetimeSeconds: 120,
    };
    form.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    form.set(
      "client_assertion",
      await signAssertion(oauth.clientKey, await io.secrets(oauth.clientKey.key), claims),
    );
  }
  return {};
}

async function ask(
  url: string,
  form: URLSearchParams,
  headers: Record<string, string>,
  io: GrantIo,
  renewing: boolean,
): Promise<z.output<typeof answered>> {
  const answer = await io.dialer
    .request({
      method: "POST",
      url,
      headers: {
        accept: "application/json",
        "content-type": "application/x-www-form-urlencoded",
        "user-agent": "oars",
        ...headers,
      },
      body: form.toString(),
      timeoutMs: grantTimeoutMs,
      maxResponseBytes: mostGrantBytes,
      tenantId: io.tenantId,
      signal: io.signal,
    })
    .catch((cause: unknown) => {
      throw unavailable("the token endpoint gave no answer", cause);
    });
  const body = jsonOf(answer.body);
  if (answer.status !== 200) throw refusal(answer.status, body, form.get("grant_type") ?? "", renewing);
  const token = answered.safeParse(body);
  if (!token.success) throw failed("the token endpoint's answer holds no token");
  if (token.data.token_type !== "bearer") throw failed("the token is not of the type Bearer");
  return token.data;
}

const failed = (reason: string): OarsError => new OarsError("CONNECTION_AUTH_FAILED", { reason });

function refusal(status: number, body: unknown, grant: string, renewing: boolean): OarsError {
  const said = typeof body === "object" && body !== null && "error" in body ? String(body.error) : "";
  const error = /^[A-Za-z0-9_.-]{1,60}$/.test(said) ? said : `status ${status}`;
  if (grant === "refresh_token" && renewing && error === "invalid_grant")
    return new OarsError("CONNECTION_AUTHORIZATION_NEEDED");
  if (status >= 500 || status === 429 || error === "temporarily_unavailable")
    return unavailable(`the token endpoint answered ${error}`, undefined);
  return failed(`the token endpoint answered ${error}`);
}
