/** Where an authorization server takes requests: as configured, or by its metadata (RFC 8414). */
import { z } from "zod";
import { OarsError } from "#platform/kernel";
import { endpointProblem } from "./endpoint.ts";
import { type GrantIo, grantTimeoutMs, mostGrantBytes } from "./grant.ts";
import { jsonOf, unavailable } from "./grant-answer.ts";
import type { OAuth } from "./oauth-schema.ts";

export interface Endpoints {
  readonly tokenUrl: string;
  readonly authorizationUrl: string | undefined;
  /** The server promises to name itself in its answers (RFC 9207 §3). */
  readonly namesItself: boolean;
}

const metadata = z.object({
  issuer: z.string(),
  token_endpoint: z.string(),
  authorization_endpoint: z.string().optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});

/**
 * Hostile input enters here: the metadata. Their issuer must be the configured one, and every endpoint must be
 * https; its host is judged by the dialer when it is called. Throws CONNECTION_AUTH_FAILED, CONNECTION_AUTH_UNAVAILABLE.
 */
export async function endpointsOf(oauth: OAuth, io: GrantIo): Promise<Endpoints> {
  const authorizationUrl = oauth.grant === "authorization_code" ? oauth.authorizationUrl : undefined;
  const complete = oauth.grant !== "authorization_code" || authorizationUrl !== undefined;
  if (oauth.tokenUrl !== undefined && complete)
    return { tokenUrl: oauth.tokenUrl, authorizationUrl, namesItself: false };
  if (oauth.issuer === undefined) throw new Error("the schema asks for an issuer or endpoints");
  const found = await discover(oauth.issuer, io);
  return {
    tokenUrl: oauth.tokenUrl ?? found.token_endpoint,
    authorizationUrl: authorizationUrl ?? found.authorization_endpoint,
    namesItself: found.authorization_response_iss_parameter_supported ?? false,
  };
}

async function discover(issuer: string, io: GrantIo): Promise<z.output<typeof metadata>> {
  const refuse = (reason: string) => new OarsError("CONNECTION_AUTH_FAILED", { reason });
  for (const url of wellKnown(issuer)) {
    const answer = await io.dialer
      .request({
        method: "GET",
        url,
        headers: { accept: "application/json", "user-agent": "oars" },
        timeoutMs: grantTimeoutMs,
        maxResponseBytes: mostGrantBytes,
        tenantId: io.tenantId,
        signal: io.signal,
      })
      .catch((cause: unknown) => {
        throw unavailable("the metadata of the issuer cannot be read", cause);
      });
    if (answer.status === 404) continue;
    const read = metadata.safeParse(jsonOf(answer.body));
    if (answer.status !== 200 || !read.success) throw refuse("the issuer publishes no usable metadata");
    if (read.data.issuer !== issuer) throw refuse("the metadata name another issuer");
    for (const text of [read.data.token_endpoint, read.data.authorization_endpoint ?? issuer]) {
      const problem = endpointProblem(text);
      if (problem !== undefined) throw refuse(`an endpoint in the metadata ${problem}`);
    }
    return read.data;
  }
  throw refuse("the issuer publishes no metadata");
}

/** RFC 8414 §3.1, then OpenID Connect Discovery. */
function wellKnown(issuer: string): string[] {
  const url = new URL(issuer);
  const path = url.pathname.replace(/\/$/, "");
  return [
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
    `${url.origin}${path}/.well-known/openid-configuration`,
  ];
}
