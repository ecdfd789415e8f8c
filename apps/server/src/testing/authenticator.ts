/** A security key of ES256 in software: what a browser would send for it. */
import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { isoCBOR } from "@simplewebauthn/server/helpers";

export interface SoftKey {
  register(options: object): object;
  assert(options: object): object;
}

interface Asked {
  readonly challenge: string;
  readonly rp?: { readonly id: string };
  readonly rpId?: string;
}

const present = 0x01;
const verified = 0x04;
const attested = 0x40;
const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
const sha256 = (bytes: Uint8Array | string): Buffer => createHash("sha256").update(bytes).digest();

/** `origin` is the page that it believes to be on; `flags` are those of assertions. */
export function createSoftKey(origin: string, flags = present | verified): SoftKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const id = randomBytes(32);
  let count = 0;

  const clientData = (type: string, { challenge }: Asked): Buffer =>
    Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  const authenticatorData = (rpId: string, bits: number, rest: Uint8Array): Buffer => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(++count);
    return Buffer.concat([sha256(rpId), Buffer.from([bits]), counter, rest]);
  };
  const credential = (response: object): object => ({
    id: b64(id),
    rawId: b64(id),
    type: "public-key",
    clientExtensionResults: {},
    response,
  });

  return {
    register: (options) => {
      const asked = options as Asked; // what the server asked the browser for
      const length = Buffer.alloc(2);
      length.writeUInt16BE(id.length);
      const data = Buffer.concat([Buffer.alloc(16), length, id, coseKey(publicKey)]);
      const authData = authenticatorData(asked.rp?.id ?? "", present | verified | attested, data);
      const attestation = new Map<string, unknown>([
        ["fmt", "none"],
        ["attStmt", new Map()],
        ["authData", new Uint8Array(authData)],
      ]);
      return credential({
        clientDataJSON: b64(clientData("webauthn.create", asked)),
        attestationObject: b64(isoCBOR.encode(attestation as never)), // its own CBOR type
      });
    },
    assert: (options) => {
      const asked = options as Asked; // what the server asked the browser for
      const authData = authenticatorData(asked.rpId ?? "", flags, new Uint8Array());
      const data = clientData("webauthn.get", asked);
      const signature = createSign("sha256").update(authData).update(sha256(data)).sign(privateKey);
      return credential({
        clientDataJSON: b64(data),
        authenticatorData: b64(authData),
        signature: b64(signature),
      });
    },
  };
}

/** RFC 9053 EC2 key. */
function coseKey(key: KeyObject): Uint8Array {
  const { x = "", y = "" } = key.export({ format: "jwk" });
  return isoCBOR.encode(
    new Map<number, number | Uint8Array>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, new Uint8Array(Buffer.from(x, "base64url"))],
      [-3, new Uint8Array(Buffer.from(y, "base64url"))],
    ]) as never, // its own CBOR type
  );
}
