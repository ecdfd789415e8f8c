/** A signing service with the interface of Vault's transit engine, as far as its Ed25519 keys go. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface TransitPeer {
  readonly url: string;
  readonly token: string;
  /** Requests that were answered well, as `METHOD path`. */
  readonly seen: string[];
  /** Answers everything with this status, as when it is sealed; null: works. */
  failWith(status: number | null): void;
  /** Signs with a key that is not the one asked for. */
  lie(): void;
  close(): Promise<void>;
}

export async function startTransitPeer(): Promise<TransitPeer> {
  const token = "hvs.a-token-of-the-tests";
  const keys = new Map<string, KeyObject[]>();
  const seen: string[] = [];
  let failing: number | null = null;
  let lies = false;
  const make = (): KeyObject => generateKeyPairSync("ed25519").privateKey;
  const publicOf = (key: KeyObject): string =>
    Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");

  const answer = (method: string, path: string, body: Record<string, unknown>): [number, unknown?] => {
    const [, kind, name = "", verb] = path.split("/");
    const versions = keys.get(name);
    if (kind === "keys" && method === "POST" && verb === undefined) {
      if (body.type !== "ed25519") return [400, { errors: ["unknown key type"] }];
      if (!versions) keys.set(name, [make()]);
      return [200, { data: {} }];
    }
    if (!versions) return [404, { errors: [] }];
    if (kind === "keys" && method === "POST" && verb === "rotate") {
      versions.push(make());
      return [200, { data: {} }];
    }
    if (kind === "keys" && method === "GET") {
      const shown = versions.map((key, i) => [i + 1, { name: "ed25519", public_key: publicOf(key) }]);
      return [200, { data: { latest_version: versions.length, keys: Object.fromEntries(shown) } }];
    }
    if (kind !== "sign" || method !== "POST") return [405, { errors: [] }];
    const version = Number(body.key_version ?? versions.length);
    const key = lies ? make() : versions[version - 1];
    if (!key) return [400, { errors: ["no such version"] }];
    const made = sign(null, Buffer.from(String(body.input), "base64"), key).toString("base64");
    return [200, { data: { signature: `vault:v${version}:${made}`, key_version: version } }];
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = (request.url ?? "").replace("/v1/transit", "");
      const text = Buffer.concat(chunks).toString("utf8");
      const [status, body] =
        failing !== null
          ? [failing, { errors: ["Vault is sealed"] }]
          : request.headers["x-vault-token"] !== token
            ? [403, { errors: ["permission denied"] }]
            : answer(request.method ?? "", path, text === "" ? {} : JSON.parse(text));
      if (status === 200) seen.push(`${request.method} ${path}`);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/transit`, // listening on TCP
    token,
    seen,
    failWith: (status) => {
      failing = status;
    },
    lie: () => {
      lies = true;
    },
    close: () => new Promise((closed) => server.close(() => closed())),
  };
}
