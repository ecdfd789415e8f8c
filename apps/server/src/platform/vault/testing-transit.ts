/** For tests: the transit engine of HashiCorp Vault as far as data keys need it, over real HTTP on loopback. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface TransitPeer extends AsyncDisposable {
  readonly url: string;
  readonly asked: string[];
  rotate(): void;
  /** It answers 503, as when it is sealed. */
  outage: boolean;
  /** Tokens given so far are not taken any more. */
  revoke(): void;
}

export async function transitPeer(): Promise<TransitPeer> {
  const versions = [randomBytes(32)];
  let tokens = new Set(["root"]);
  const asked: string[] = [];
  const state = { outage: false };
  const encrypt = (plaintext: string): string => {
    const iv = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", versions.at(-1) ?? "", iv);
    const body = Buffer.concat([cipher.update(Buffer.from(plaintext, "base64")), cipher.final()]);
    return `vault:v${versions.length}:${Buffer.concat([iv, body, cipher.getAuthTag()]).toString("base64")}`;
  };
  const decrypt = (text: string): string => {
    const [, version = "", data = ""] = /^vault:v(\d+):(.+)$/.exec(text) ?? [];
    const raw = Buffer.from(data, "base64");
    const cipher = createDecipheriv("aes-256-gcm", versions[Number(version) - 1] ?? "", raw.subarray(0, 12));
    cipher.setAuthTag(raw.subarray(-16));
    return Buffer.concat([cipher.update(raw.subarray(12, -16)), cipher.final()]).toString("base64");
  };
  const answer = (path: string, token: string | undefined, body: Record<string, string>) => {
    if (state.outage) return { status: 503, body: { errors: ["Vault is sealed"] } };
    if (path === "/v1/auth/approle/login") {
      if (body.role_id !== "role" || body.secret_id !== "role-secret") return { status: 400, body: {} };
      const made = `s.${randomBytes(8).toString("hex")}`;
      tokens.add(made);
      return { status: 200, body: { auth: { client_token: made, lease_duration: 3_600 } } };
    }
    if (!tokens.has(token ?? "")) return { status: 403, body: { errors: ["permission denied"] } };
    try {
      if (path === "/v1/transit/encrypt/oars")
        return { status: 200, body: { data: { ciphertext: encrypt(body.plaintext ?? "") } } };
      if (path === "/v1/transit/decrypt/oars")
        return { status: 200, body: { data: { plaintext: decrypt(body.ciphertext ?? "") } } };
      if (path === "/v1/transit/rewrap/oars")
        return { status: 200, body: { data: { ciphertext: encrypt(decrypt(body.ciphertext ?? "")) } } };
    } catch {
      return { status: 400, body: { errors: ["invalid ciphertext: no prefix"] } };
    }
    return { status: 404, body: { errors: [] } };
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = request.url ?? "";
      asked.push(path);
      const token = request.headers["x-vault-token"];
      const done = answer(
        path,
        typeof token === "string" ? token : undefined,
        JSON.parse(Buffer.concat(chunks).toString()),
      );
      response.writeHead(done.status, { "content-type": "application/json" }).end(JSON.stringify(done.body));
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // a listening TCP server has a port
    asked,
    rotate: () => void versions.push(randomBytes(32)),
    revoke: () => {
      tokens = new Set(["root"]);
    },
    get outage() {
      return state.outage;
    },
    set outage(on: boolean) {
      state.outage = on;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
