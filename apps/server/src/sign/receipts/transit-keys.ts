/**
 * Keys that never leave a signing service with the interface of Vault's transit engine (also OpenBao, and gateways
 * before HSMs and clouds): `POST keys/<name>` makes an Ed25519 key, `…/rotate` a next version, `POST sign/<name>` signs.
 * What comes back is held against the public key before it is used: a service that signs with another key than it
 * said would make receipts that nobody can verify.
 */
import { createPublicKey, verify } from "node:crypto";
import { thumbprint } from "@oars/receipts";
import { formatId, OarsError, sha256 } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import { type KeyHolder, type KeyPlan, rawOf } from "./key-holders.ts";

export interface TransitOptions {
  readonly dialer: Pick<Dialer, "request">;
  /** Of the engine, such as `https://vault.example:8200/v1/transit`. */
  readonly url: string;
  readonly token: string;
  /** 5,000 when absent. */
  readonly timeoutMs?: number;
}

type Ask = (method: "GET" | "POST", path: string, body?: object) => Promise<Record<string, unknown>>;

export function createTransitKeys(options: TransitOptions): KeyHolder {
  const ask: Ask = async (method, path, body) => {
    const answer = await options.dialer
      .request({
        method,
        url: `${options.url.replace(/\/+$/, "")}/${path}`,
        headers: { "x-vault-token": options.token, "content-type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        timeoutMs: options.timeoutMs ?? 5_000,
        maxResponseBytes: 1_048_576,
        tenantId: "00000000-0000-0000-0000-000000000000",
      })
      .catch((cause: unknown) => {
        throw new OarsError("SIGNER_UNAVAILABLE", {}, { cause });
      });
    if (answer.status >= 300)
      throw new OarsError("SIGNER_UNAVAILABLE", {}, { cause: new Error(`it answered ${answer.status}`) });
    if (answer.body.length === 0) return {};
    const parsed: unknown = JSON.parse(Buffer.from(answer.body).toString("utf8"));
    const data = typeof parsed === "object" && parsed !== null && "data" in parsed ? parsed.data : {};
    return (data ?? {}) as Record<string, unknown>; // its members are checked where they are used
  };

  return {
    name: "transit",
    make: async (plan, _sealer, fresh) => {
      const name = nameOf(plan);
      await ask("POST", `keys/${name}`, { type: "ed25519" });
      if (fresh) await ask("POST", `keys/${name}/rotate`, {});
      const { version, raw } = newestOf(await ask("GET", `keys/${name}`));
      const publicX = raw.toString("base64url");
      return {
        ...plan,
        kid: thumbprint(publicX, sha256),
        publicX,
        provider: "transit",
        privateSealed: null,
        providerRef: `${name}:${version}`,
      };
    },
    open: (key) => {
      const [name = "", version = ""] = (key.providerRef ?? "").split(":");
      const publicKey = createPublicKey({
        key: { kty: "OKP", crv: "Ed25519", x: key.publicX },
        format: "jwk",
      });
      return {
        kid: key.kid,
        publicKey: rawOf(key),
        sign: async (message) => {
          const input = Buffer.from(message).toString("base64");
          const { signature } = await ask("POST", `sign/${name}`, { input, key_version: Number(version) });
          const made = Buffer.from(String(signature).split(":").at(-1) ?? "", "base64");
          if (made.length === 64 && verify(null, message, publicKey, made)) return made;
          throw new OarsError("SIGNER_UNAVAILABLE", {}, { cause: new Error("it signed with another key") });
        },
      };
    },
  };
}

const nameOf = ({ tenantId, use }: KeyPlan): string => `oars-${formatId("tenant", tenantId)}-${use}`;

function newestOf(data: Record<string, unknown>): { version: number; raw: Buffer } {
  const version = Number(data.latest_version);
  const keys = (data.keys ?? {}) as Record<string, { public_key?: unknown }>; // hostile: the key is checked next
  const raw = Buffer.from(String(keys[String(version)]?.public_key ?? ""), "base64");
  if (!Number.isSafeInteger(version) || raw.length !== 32)
    throw new OarsError("SIGNER_UNAVAILABLE", {}, { cause: new Error("it shows no Ed25519 key") });
  return { version, raw };
}
