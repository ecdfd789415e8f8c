/** Sessions by cookies (RFC 6265): a login, and a jar for each connection. */
import { CookieJar } from "tough-cookie";
import { OarsError } from "#platform/kernel";
import { type Credential, type GrantIo, grantTimeoutMs, mostGrantBytes } from "./grant.ts";
import { unavailable } from "./grant-answer.ts";
import type { SessionSpec } from "./session-schema.ts";

/** Logs in. Redirects are not followed: the cookies come with the first answer. Errors as `obtainToken`. */
export async function logIn(spec: SessionSpec, io: GrantIo): Promise<Credential> {
  const fields: Record<string, string> = {};
  for (const [name, field] of Object.entries(spec.fields))
    fields[name] = "secret" in field ? await io.secrets(field.secret) : field.text;
  const isForm = spec.format === "form";
  const answer = await io.dialer
    .request({
      method: "POST",
      url: spec.loginUrl,
      headers: {
        "content-type": isForm ? "application/x-www-form-urlencoded" : "application/json",
        "user-agent": "oars",
      },
      body: isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields),
      timeoutMs: grantTimeoutMs,
      maxResponseBytes: mostGrantBytes * 16,
      tenantId: io.tenantId,
      signal: io.signal,
    })
    .catch((cause: unknown) => {
      throw unavailable("the login gave no answer", cause);
    });
  if (answer.status >= 500 || answer.status === 429)
    throw unavailable(`the login answered ${answer.status}`, undefined);
  const refuse = (reason: string) => new OarsError("CONNECTION_AUTH_FAILED", { reason });
  if (!spec.success.includes(answer.status)) throw refuse(`the login answered ${answer.status}`);
  const jar = new CookieJar();
  if (!takeCookies(jar, answer.setCookie ?? [], spec.loginUrl)) throw refuse("the login set no cookie");
  return { value: JSON.stringify(jar.serializeSync()), lifetimeMs: spec.lifetime * 1_000 };
}

/** Hostile input enters here: cookies for another host, a public suffix or with a damaged line are left out. */
export function takeCookies(jar: CookieJar, lines: readonly string[], url: string): boolean {
  let taken = false;
  for (const line of lines.slice(0, 50)) {
    if (line.length <= 8_192 && jar.setCookieSync(line, url, { ignoreError: true }) !== undefined)
      taken = true;
  }
  return taken;
}

export const jarOf = (value: string): CookieJar => CookieJar.deserializeSync(value);

/** The Cookie header for that URL, and the values in it. */
export function cookiesFor(jar: CookieJar, url: string): { header: string; values: string[] } {
  const cookies = jar.getCookiesSync(url);
  return {
    header: cookies.map((cookie) => cookie.cookieString()).join("; "),
    values: cookies.map((cookie) => cookie.value),
  };
}
