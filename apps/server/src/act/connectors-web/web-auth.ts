import { z } from "zod";
import { type CallContext, secretReference } from "#act/connector-kit";
import { isHeaderName, isHeaderValue } from "./http-headers.ts";

const username = z.string().refine((text) => !text.includes(":") && isHeaderValue(text), {
  error: "must be text without a colon or line breaks",
});

export const headerName = z
  .string()
  .refine(isHeaderName, { error: "must be the name of a header that a client may set" });

/** How a request over HTTP says who it is from. */
export const webAuth = z
  .strictObject({
    bearer: secretReference.optional(),
    basic: z.strictObject({ username: username, password: secretReference }).optional(),
    header: z.strictObject({ name: headerName, value: secretReference }).optional(),
  })
  .refine((ways) => Object.values(ways).filter((way) => way !== undefined).length === 1, {
    error: "must hold exactly one of bearer, basic and header",
  });

export type WebAuth = z.output<typeof webAuth>;

export interface Credentials {
  readonly headers: Record<string, string>;
  /** What must not come back to anyone. */
  readonly secrets: readonly string[];
}

export const noCredentials: Credentials = { headers: {}, secrets: [] };

export const authSecrets = (auth: WebAuth | undefined): string[] =>
  [auth?.bearer, auth?.basic?.password, auth?.header?.value].filter((name) => name !== undefined);

/** Rejects with SECRET_NOT_FOUND or SECRET_UNREADABLE. */
export async function credentialsOf(
  auth: WebAuth | undefined,
  context: Pick<CallContext, "secrets">,
): Promise<Credentials> {
  if (auth === undefined) return noCredentials;
  if (auth.bearer !== undefined) {
    const token = await context.secrets(auth.bearer);
    return { headers: { authorization: `Bearer ${token}` }, secrets: [token] };
  }
  if (auth.basic !== undefined) {
    const password = await context.secrets(auth.basic.password);
    const pair = Buffer.from(`${auth.basic.username}:${password}`).toString("base64");
    return { headers: { authorization: `Basic ${pair}` }, secrets: [password, pair] };
  }
  if (auth.header === undefined) return noCredentials;
  const value = await context.secrets(auth.header.value);
  return { headers: { [auth.header.name.toLowerCase()]: value }, secrets: [value] };
}
