/** OAuth 2.0 as a client: RFC 6749, 7523, 7636, 8414, 8707, 9207. */
import { z } from "zod";
import { secretReference } from "#act/connector-kit";
import { endpoint } from "./endpoint.ts";

const visible = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[\x20-\x7e]+$/, { error: "must be visible ASCII" });

const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, { error: "must be one scope, without spaces" });

/** A signing key in the vault: PEM (PKCS #8) or a JWK. */
const signingKey = z.strictObject({
  key: secretReference,
  algorithm: z.enum(["RS256", "PS256", "ES256", "EdDSA"]),
  keyId: visible(200).optional(),
});

const client = {
  /** Of the authorization server. Its metadata (RFC 8414) then give the endpoints that are not set here. */
  issuer: endpoint.optional(),
  tokenUrl: endpoint.optional(),
  clientId: visible(500),
  clientSecret: secretReference.optional(),
  /** How the client proves itself; `basic` with a secret, `none` without one, when absent. */
  clientAuth: z.enum(["basic", "post", "none", "private_key_jwt"]).optional(),
  /** For `private_key_jwt` (RFC 7523 §2.2). */
  clientKey: signingKey.optional(),
  scopes: z.array(scope).max(50).default([]),
  audience: visible(500).optional(),
  /** Resource indicators (RFC 8707). */
  resource: z.array(z.url().max(500)).max(10).default([]),
} as const;

const clientCredentials = z.strictObject({ grant: z.literal("client_credentials"), ...client });

const authorizationCode = z.strictObject({
  grant: z.literal("authorization_code"),
  ...client,
  authorizationUrl: endpoint.optional(),
  /** Refuse an answer without `iss` (RFC 9207), whatever the metadata say. Needs `issuer`. */
  requireIssuer: z.boolean().default(false),
});

const jwtBearer = z.strictObject({
  grant: z.literal("jwt_bearer"),
  ...client,
  assertion: z.strictObject({
    ...signingKey.shape,
    issuer: visible(500),
    subject: visible(500).optional(),
    /** The token endpoint when absent. */
    audience: visible(500).optional(),
    lifetime: z.int().min(30).max(3_600).default(300),
    claims: z.record(visible(100), z.union([visible(1_000), z.int(), z.boolean()])).default({}),
  }),
});

export const oauthSchema = z
  .discriminatedUnion("grant", [clientCredentials, authorizationCode, jwtBearer])
  .superRefine((oauth, context) => {
    const complain = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (oauth.tokenUrl === undefined && oauth.issuer === undefined)
      complain("tokenUrl", "is needed where no issuer is given");
    const way = clientAuthOf(oauth);
    if ((way === "basic" || way === "post") && oauth.clientSecret === undefined)
      complain("clientSecret", `is needed by clientAuth ${way}`);
    if (way === "private_key_jwt" && oauth.clientKey === undefined)
      complain("clientKey", "is needed by clientAuth private_key_jwt");
    if (way !== "private_key_jwt" && oauth.clientKey !== undefined)
      complain("clientKey", "belongs to clientAuth private_key_jwt alone");
    if (oauth.grant === "client_credentials" && way === "none")
      complain("clientAuth", "must not be none: the client is all that this grant proves");
    if (oauth.grant !== "authorization_code") return;
    if (oauth.authorizationUrl === undefined && oauth.issuer === undefined)
      complain("authorizationUrl", "is needed where no issuer is given");
    if (oauth.requireIssuer && oauth.issuer === undefined) complain("issuer", "is needed by requireIssuer");
  });

export type OAuth = z.output<typeof oauthSchema>;
export type SigningKey = z.output<typeof signingKey>;

export const clientAuthOf = (oauth: {
  readonly clientAuth?: "basic" | "post" | "none" | "private_key_jwt" | undefined;
  readonly clientSecret?: string | undefined;
}): "basic" | "post" | "none" | "private_key_jwt" =>
  oauth.clientAuth ?? (oauth.clientSecret === undefined ? "none" : "basic");

/** The secrets that it names. */
export const grantFields = (oauth: OAuth): (string | undefined)[] => [
  oauth.clientSecret,
  oauth.clientKey?.key,
  oauth.grant === "jwt_bearer" ? oauth.assertion.key : undefined,
];
