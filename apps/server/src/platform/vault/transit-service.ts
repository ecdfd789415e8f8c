/**
 * Key-encryption keys that never leave a service with the interface of Vault's transit engine (also OpenBao):
 * `POST encrypt/<key>`, `decrypt/<key>`, `rewrap/<key>`. What is encrypted holds tenant and number of the data key, and
 * is held against the row it comes from: a row that was moved does not open.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { OarsError } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import type { KeyService } from "./key-service.ts";

export interface TransitKeyOptions {
  readonly dialer: Pick<Dialer, "request">;
  /** Of the server, such as `https://vault.example:8200`. */
  readonly url: string;
  /** Of the engine; `transit` when absent. */
  readonly mount?: string;
  readonly key: string;
  readonly auth: { readonly token: string } | { readonly roleId: string; readonly secretId: string };
  /** 5,000 when absent. */
  readonly timeoutMs?: number;
}

const nobody = "00000000-0000-0000-0000-000000000000";
const seconds = 5;

const unavailable = (reason: string, cause?: unknown): OarsError =>
  new OarsError("KMS_UNAVAILABLE", { reason, seconds }, { cause });

export function transitKeys(options: TransitKeyOptions): KeyService {
  const { mount = "transit", key } = options;
  const base = `${options.url.replace(/\/+$/, "")}/v1`;
  const prefix = `transit/${mount}/${key}/`;
  const ask = createAsk(options, base);
  const run = async (verb: "encrypt" | "decrypt" | "rewrap", body: object) =>
    ask(`${base}/${mount}/${verb}/${encodeURIComponent(key)}`, body);

  const kept = (data: Record<string, unknown>) => {
    const ciphertext = String(data.ciphertext ?? "");
    const version = /^vault:v(\d+):/.exec(ciphertext)?.[1];
    if (version === undefined) throw unavailable("its answer holds no ciphertext");
    return { kekId: `${prefix}v${version}`, wrapped: Buffer.from(ciphertext) };
  };

  return {
    wrap: async (tenantId, number, dataKey) => {
      const plaintext = Buffer.concat([dataKey, binding(tenantId, number)]).toString("base64");
      return kept(await run("encrypt", { plaintext }));
    },
    unwrap: async (tenantId, row) => {
      if (!row.kekId.startsWith(prefix)) return undefined;
      const data = await run("decrypt", { ciphertext: Buffer.from(row.wrapped).toString("utf8") }).catch(
        (error: unknown) => {
          if (error instanceof Refused) return undefined; // damaged, or a version that is gone
          throw error;
        },
      );
      const plain = Buffer.from(String(data?.plaintext ?? ""), "base64");
      const bound = plain.length === 64 && timingSafeEqual(plain.subarray(32), binding(tenantId, row.number));
      return bound ? plain.subarray(0, 32) : undefined;
    },
    rewrap: async (_tenantId, row) => {
      const made = kept(await run("rewrap", { ciphertext: Buffer.from(row.wrapped).toString("utf8") }));
      return made.kekId === row.kekId ? undefined : made;
    },
    knows: (kekId) => kekId.startsWith(prefix),
  };
}

const binding = (tenantId: string, number: number): Buffer =>
  createHash("sha256").update(`oars/data-key\0${tenantId}\0${number}`).digest();

/** The service understood, and will not. */
class Refused extends Error {}

function createAsk(options: TransitKeyOptions, base: string) {
  const { auth, dialer } = options;
  let session: { token: string; until: number } | undefined;

  const post = async (url: string, body: object, token: string | undefined) => {
    const answer = await dialer
      .request({
        method: "POST",
        url,
        headers: {
          "content-type": "application/json",
          ...(token === undefined ? {} : { "x-vault-token": token }),
        },
        body: JSON.stringify(body),
        timeoutMs: options.timeoutMs ?? 5_000,
        maxResponseBytes: 1_048_576,
        tenantId: nobody,
      })
      .catch((cause: unknown) => {
        throw unavailable("it gives no answer", cause);
      });
    return { status: answer.status, body: objectOf(answer.body) };
  };

  const tokenNow = async (): Promise<string> => {
    if ("token" in auth) return auth.token;
    if (session !== undefined && session.until > performance.now()) return session.token;
    const login = { role_id: auth.roleId, secret_id: auth.secretId };
    const { status, body } = await post(`${base}/auth/approle/login`, login, undefined);
    const got = (body.auth ?? {}) as Record<string, unknown>; // its members are checked next
    if (status !== 200 || typeof got.client_token !== "string")
      throw unavailable(`its login answered ${status}`);
    const leaseMs = Number(got.lease_duration) > 0 ? Number(got.lease_duration) * 1_000 : 60_000;
    session = { token: got.client_token, until: performance.now() + leaseMs * 0.8 };
    return session.token;
  };

  return async (url: string, body: object): Promise<Record<string, unknown>> => {
    for (let attempt = 1; ; attempt++) {
      const { status, body: answer } = await post(url, body, await tokenNow());
      if (status === 403 && attempt === 1 && session !== undefined) {
        session = undefined; // revoked before its time
        continue;
      }
      if (status === 400) throw new Refused("the service refused");
      if (status !== 200) throw unavailable(`it answered ${status}`);
      return (answer.data ?? {}) as Record<string, unknown>; // its members are checked where they are used
    }
  };
}

function objectOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
