/**
 * Who holds private keys. The rooms sign through `Signer` and never see where the key is: in memory and sealed by
 * the vault, or with a service that signs when asked.
 */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { publicKeyOf, type SignBytes, signerOf } from "@oars/receipts/node";
import type { Sealer } from "#platform/vault";
import type { KeyUse, NewKey, StoredKey } from "./key-store.ts";

export interface Signer {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array;
  readonly sign: SignBytes;
}

export interface KeyPlan {
  readonly tenantId: string;
  readonly use: KeyUse;
  readonly name: string;
}

/** A way to hold keys. Keys stay with the holder that made them, whichever makes the next ones. */
export interface KeyHolder {
  /** `provider` of the keys that it made. */
  readonly name: string;
  /**
   * A new key. `fresh`: an older one is to be followed; else the first one, and whoever asks twice for the same plan
   * may get the same. Rejects when it cannot be made; then nothing is stored.
   */
  make(plan: KeyPlan, sealer: Sealer, fresh: boolean): Promise<NewKey>;
  /** Rejects or throws when the key cannot be had. */
  open(key: StoredKey, sealer: Sealer): Signer;
}

const purposeOf = (kid: string): string => `signing-key/${kid}`;
export const rawOf = (key: Pick<NewKey, "publicX">): Uint8Array => Buffer.from(key.publicX, "base64url");

/** Keys of this process: made here, sealed by the vault in the database, in clear in memory alone. */
export const softwareKeys: KeyHolder = {
  name: "software",
  make: async ({ tenantId, use, name }, sealer) => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const { raw, keyId } = publicKeyOf(privateKey);
    const der = privateKey.export({ format: "der", type: "pkcs8" });
    const privateSealed = sealer.seal(purposeOf(keyId), der);
    der.fill(0);
    const publicX = Buffer.from(raw).toString("base64url");
    return {
      tenantId,
      kid: keyId,
      use,
      name,
      publicX,
      provider: "software",
      privateSealed,
      providerRef: null,
    };
  },
  open: (key, sealer) => {
    if (!key.privateSealed) throw new Error(`key ${key.kid} has no private half here`);
    const der = Buffer.from(sealer.open(purposeOf(key.kid), key.privateSealed));
    const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    der.fill(0);
    return { kid: key.kid, publicKey: rawOf(key), sign: signerOf(privateKey) };
  },
};
