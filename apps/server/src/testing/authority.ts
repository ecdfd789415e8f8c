/** For tests: an authorization server with an API behind it, as strict as the RFCs ask. Real HTTP on loopback. */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, jwtVerify } from "jose";

export interface Authority extends AsyncDisposable {
  readonly origin: string;
  /** Requests to the token endpoint: their forms. */
  readonly asked: URLSearchParams[];
  /** Authorization headers and cookies that the API got. */
  readonly used: string[];
  readonly rules: {
    lifetime: number;
    /** Answers the token endpoint with this in place of a token. */
    refuse: { status: number; error: string } | undefined;
    issuerInMetadata: string | undefined;
    /** Called before a token is given. */
    hold: (() => Promise<void>) | undefined;
    assertionKey: CryptoKey | undefined;
  };
  /** No access token is valid any more. */
  revokeAll(): void;
  /** The person agrees: where the browser is sent back to. */
  consent(authorizationUrl: string): URL;
}

interface Code {
  readonly challenge: string;
  readonly redirectUri: string;
}

export async function authority(): Promise<Authority> {
  const codes = new Map<string, Code>();
  const access = new Set<string>();
  const refresh = new Set<string>();
  const asked: URLSearchParams[] = [];
  const used: string[] = [];
  const rules: Authority["rules"] = {
    lifetime: 3_600,
    refuse: undefined,
    issuerInMetadata: undefined,
    hold: undefined,
    assertionKey: undefined,
  };
  const random = () => randomBytes(18).toString("base64url");

  const grant = (withRefresh: boolean) => {
    const made = { access_token: `at-${random()}`, token_type: "Bearer", expires_in: rules.lifetime };
    access.add(made.access_token);
    if (!withRefresh) return made;
    const token = `rt-${random()}`;
    refresh.add(token);
    return { ...made, refresh_token: token };
  };
  const invalid = (error: string, status = 400) => ({ status, body: { error } });

  const token = async (request: IncomingMessage, form: URLSearchParams) => {
    asked.push(form);
    await rules.hold?.();
    if (rules.refuse !== undefined) return invalid(rules.refuse.error, rules.refuse.status);
    const pair = Buffer.from(
      (request.headers.authorization ?? "").replace(/^Basic /, ""),
      "base64",
    ).toString();
    const [id, secret] = pair.includes(":")
      ? pair.split(":")
      : [form.get("client_id"), form.get("client_secret")];
    const kind = form.get("grant_type");
    if (kind === "client_credentials") {
      return id === "oars" && secret === "client%2Fsecret"
        ? { status: 200, body: grant(false) }
        : invalid("invalid_client", 401);
    }
    if (kind === "urn:ietf:params:oauth:grant-type:jwt-bearer") {
      const ok = await jwtVerify(form.get("assertion") ?? "", rules.assertionKey as CryptoKey, {
        audience: `${origin()}/token`,
        issuer: "robot@oars.test",
      }).catch(() => undefined);
      return ok === undefined ? invalid("invalid_grant") : { status: 200, body: grant(false) };
    }
    if (kind === "refresh_token") {
      return refresh.delete(form.get("refresh_token") ?? "")
        ? { status: 200, body: grant(true) }
        : invalid("invalid_grant");
    }
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const proof = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const right = code?.challenge === proof && code.redirectUri === form.get("redirect_uri");
    return right ? { status: 200, body: grant(true) } : invalid("invalid_grant");
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const text = Buffer.concat(chunks).toString();
      const answer = async () => {
        if (request.url === "/token") return token(request, new URLSearchParams(text));
        if (request.url?.startsWith("/.well-known/oauth-authorization-server")) {
          const issuer = rules.issuerInMetadata ?? origin();
          const endpoints = {
            token_endpoint: `${origin()}/token`,
            authorization_endpoint: `${origin()}/authorize`,
          };
          return {
            status: 200,
            body: { issuer, ...endpoints, authorization_response_iss_parameter_supported: true },
          };
        }
        if (request.url === "/login") {
          const right = new URLSearchParams(text).get("password") === "hunter22";
          if (right) access.add("s1");
          return {
            status: right ? 303 : 403,
            body: {},
            cookies: right ? ["sid=s1; Path=/; HttpOnly", "evil=1; Domain=example.com"] : [],
          };
        }
        const shown = request.headers.cookie ?? request.headers.authorization ?? "";
        used.push(shown);
        const value = shown.replace(/^Bearer /, "").replace(/^sid=/, "");
        return access.has(value) ? { status: 200, body: { ok: true } } : { status: 401, body: { shown } };
      };
      const {
        status,
        body,
        cookies = [],
      } = (await answer()) as { status: number; body: object; cookies?: string[] };
      response.writeHead(status, {
        "content-type": "application/json",
        ...(cookies.length > 0 ? { "set-cookie": cookies } : {}),
      });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a listening TCP server has a port
  return {
    origin: origin(),
    asked,
    used,
    rules,
    revokeAll: () => access.clear(),
    consent: (text) => {
      const url = new URL(text);
      const code = random();
      const redirectUri = url.searchParams.get("redirect_uri") ?? "";
      codes.set(code, { challenge: url.searchParams.get("code_challenge") ?? "", redirectUri });
      const back = new URL(redirectUri);
      back.searchParams.set("code", code);
      back.searchParams.set("state", url.searchParams.get("state") ?? "");
      back.searchParams.set("iss", origin());
      return back;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
