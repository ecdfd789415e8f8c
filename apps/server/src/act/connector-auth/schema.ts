/** The `auth` block of connections to systems that speak HTTP. */
import { z } from "zod";
import { isHeaderName, isHeaderValue, secretReference } from "#act/connector-kit";
import { grantFields, type OAuth, oauthSchema } from "./oauth-schema.ts";
import { sessionSchema } from "./session-schema.ts";
import { signatureSchema } from "./signature-schema.ts";

const username = z.string().refine((text) => !text.includes(":") && isHeaderValue(text), {
  error: "must be text without a colon or line breaks",
});

export const headerName = z
  .string()
  .refine(isHeaderName, { error: "must be the name of a header that a client may set" });

const parameterName = z.string().regex(/^[A-Za-z0-9_.~-]{1,100}$/, {
  error: "must be the name of a query parameter: letters, digits, and . _ ~ -",
});

/** A client certificate for TLS (RFC 8446 §4.4.2); goes along with any other way. */
const certificate = z.strictObject({
  /** PEM: the certificate, then its intermediates. */
  certificate: secretReference,
  /** PEM, PKCS #8 or of its own kind. */
  key: secretReference,
  passphrase: secretReference.optional(),
  /** PEM of the authorities that the server's certificate is held against, in place of the system's. */
  ca: z
    .string()
    .max(100_000)
    .refine((text) => text.includes("-----BEGIN CERTIFICATE-----"), {
      error: "must be certificates in PEM",
    })
    .optional(),
});

const ways = ["bearer", "basic", "header", "query", "oauth2", "hmac", "session"] as const;

/** How a request says who it is from: one way, and a client certificate where the peer wants one. */
export const webAuth = z
  .strictObject({
    bearer: secretReference.optional(),
    basic: z.strictObject({ username, password: secretReference }).optional(),
    header: z
      .strictObject({
        name: headerName,
        value: secretReference,
        /** Stands before the value, such as `Token `. */
        prefix: z
          .string()
          .max(50)
          .refine((text) => isHeaderValue(text), { error: "must be text that a header can carry" })
          .optional(),
      })
      .optional(),
    query: z.strictObject({ name: parameterName, value: secretReference }).optional(),
    oauth2: oauthSchema.optional(),
    hmac: signatureSchema.optional(),
    session: sessionSchema.optional(),
    mtls: certificate.optional(),
  })
  .refine((auth) => waysOf(auth).length === 1 || (waysOf(auth).length === 0 && auth.mtls !== undefined), {
    error: `must hold exactly one of ${ways.join(", ")}; mtls may stand alone or beside one of them`,
  });

const waysOf = (auth: object): string[] =>
  ways.filter((way) => (auth as Readonly<Record<string, unknown>>)[way] !== undefined); // own fields of the schema

export type WebAuth = z.output<typeof webAuth>;

/** Every secret that the block names. */
export function authSecrets(auth: WebAuth | undefined): string[] {
  if (auth === undefined) return [];
  const { oauth2, session, mtls } = auth;
  const names = [
    auth.bearer,
    auth.basic?.password,
    auth.header?.value,
    auth.query?.value,
    auth.hmac?.secret,
    mtls?.certificate,
    mtls?.key,
    mtls?.passphrase,
    ...(oauth2 === undefined ? [] : grantFields(oauth2)),
    ...Object.values(session?.fields ?? {}).map((field) => ("secret" in field ? field.secret : undefined)),
  ];
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** Lower-case names of the headers that the block sets: nobody else may. */
export function authHeaders(auth: WebAuth | undefined): string[] {
  if (auth === undefined) return [];
  const { header, hmac } = auth;
  const bearing = auth.bearer !== undefined || auth.basic !== undefined || auth.oauth2 !== undefined;
  return [
    ...(bearing ? ["authorization"] : []),
    header?.name,
    hmac?.header,
    hmac?.timestamp?.header,
    hmac?.nonceHeader,
    ...(auth.session === undefined ? [] : ["cookie"]),
  ].flatMap((name) => (name === undefined ? [] : [name.toLowerCase()]));
}

/** What is obtained, kept and renewed for a connection. */
export type GrantSpec =
  | { readonly kind: "token"; readonly oauth2: OAuth }
  | { readonly kind: "cookies"; readonly session: NonNullable<WebAuth["session"]> };

export function grantOf(auth: WebAuth | undefined): GrantSpec | undefined {
  if (auth?.oauth2 !== undefined) return { kind: "token", oauth2: auth.oauth2 };
  if (auth?.session !== undefined) return { kind: "cookies", session: auth.session };
  return undefined;
}
