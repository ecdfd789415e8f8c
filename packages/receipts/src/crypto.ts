import { sha256 } from "./sha256.ts";

/** The two primitives that verification needs. Keys and signatures are raw RFC 8032 bytes (32 and 64). */
export interface VerifyCrypto {
  sha256(data: Uint8Array): Uint8Array;
  verifyEd25519(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean | Promise<boolean>;
}

/** Hash port of the pure Merkle functions. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

/** For browsers and other hosts with WebCrypto Ed25519; hashing is done in TypeScript, synchronously. */
export function createWebCrypto(): VerifyCrypto {
  return {
    sha256,
    async verifyEd25519(publicKey, message, signature) {
      if (publicKey.length !== 32 || signature.length !== 64) return false;
      const subtle = globalThis.crypto.subtle;
      const key = await subtle.importKey("raw", owned(publicKey), { name: "Ed25519" }, false, ["verify"]);
      return subtle.verify({ name: "Ed25519" }, key, owned(signature), owned(message));
    },
  };
}

/** WebCrypto refuses views of shared memory; a copy is never one. */
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);
