import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { compactVerify, importJWK } from "jose";
import { describe, expect, it } from "vitest";
import type { ReceiptBody } from "./body.ts";
import { toHex } from "./bytes.ts";
import { canonicalJson } from "./canonical.ts";
import {
  decodeDisclosure,
  disclosureDigest,
  encodeDisclosure,
  formatSdJwt,
  parseSdJwt,
} from "./disclosure.ts";
import { FormatError } from "./format-error.ts";
import { parseJws, thumbprint } from "./jws.ts";
import { leafHash, receiptLeaf } from "./merkle.ts";
import { createNodeCrypto, publicKeyOf, signerOf, signReceipt, signReceiptWith } from "./node.ts";
import { sha256 } from "./sha256.ts";

// RFC 8037 appendix A.
const rfcKey = {
  kty: "OKP",
  crv: "Ed25519",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
};

const body: ReceiptBody = {
  v: 1,
  typ: "run.started",
  rid: "rct_01jdzx0000e01sz5ke6vs00001",
  nonce: "AAAAAAAAAAAAAAAAAAAAAA",
  iss: "https://oars.example/t/x",
  log: "oars.example/log/x",
  ts: "2026-11-20T10:00:00.000Z",
};

describe("JWS", () => {
  it("names a key by the thumbprint that RFC 8037 publishes", () => {
    expect(thumbprint(rfcKey.x, sha256)).toBe("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    expect(publicKeyOf(createPrivateKey({ key: rfcKey, format: "jwk" })).keyId).toBe(
      "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    );
  });

  it("verifies the signature that RFC 8037 publishes", () => {
    const input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const signature =
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    const raw = Buffer.from(rfcKey.x, "base64url");
    const crypto = createNodeCrypto();
    expect(crypto.verifyEd25519(raw, Buffer.from(input), Buffer.from(signature, "base64url"))).toBe(true);
    expect(crypto.verifyEd25519(raw, Buffer.from(`${input}A`), Buffer.from(signature, "base64url"))).toBe(
      false,
    );
  });

  it("signs what an independent JOSE library verifies, over canonical bytes", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const { keyId } = publicKeyOf(privateKey);
    const { jws, digest, leafHash: leaf } = signReceipt(body, privateKey, keyId);
    const { x = "" } = publicKey.export({ format: "jwk" });
    const checked = await compactVerify(jws, await importJWK({ kty: "OKP", crv: "Ed25519", x }, "Ed25519"));
    expect(checked.protectedHeader).toEqual({ alg: "Ed25519", kid: keyId, typ: "agent-receipt+sd-jwt" });
    expect(Buffer.from(checked.payload).toString()).toBe(canonicalJson(body));
    expect(digest).toBe(`sha256:${toHex(sha256(Buffer.from(jws)))}`);
    const entry = Buffer.concat([Uint8Array.of(1), sha256(Buffer.from(jws))]);
    expect(toHex(leaf)).toBe(toHex(leafHash(entry, sha256)));
    expect(toHex(leaf)).toBe(toHex(receiptLeaf(jws, sha256)));
    expect(await signReceiptWith(body, signerOf(privateKey), keyId)).toEqual({ jws, digest, leafHash: leaf });
  });

  it.each(["", "a", "a.b", "a.b.c.d", "e30.e30.", "!!.e30.AA", "bnVsbA.e30.AA"])(
    "refuses %j as a JWS",
    (text) => {
      expect(() => parseJws(text)).toThrow(FormatError);
    },
  );
});

describe("disclosures (RFC 9901)", () => {
  const published = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";

  it("reads the published disclosure and gives its published digest", () => {
    expect(decodeDisclosure(published)).toEqual({
      salt: "_26bc4LT-ac6q2KI6cBW5es",
      name: "family_name",
      value: "M\u00f6bius",
    });
    expect(disclosureDigest(published, sha256)).toBe("X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
  });

  it("reads what it writes", () => {
    const text = encodeDisclosure("c2FsdA", "args", { b: [1, "x"], a: null });
    expect(decodeDisclosure(text)).toEqual({ salt: "c2FsdA", name: "args", value: { a: null, b: [1, "x"] } });
    expect(parseSdJwt(formatSdJwt("a.b.c", [text]))).toEqual({ jws: "a.b.c", disclosures: [text] });
  });

  it("refuses reserved names, other shapes and key binding", () => {
    for (const name of ["_sd", "...", "_sd_alg"])
      expect(() => encodeDisclosure("s", name, 1)).toThrow(FormatError);
    for (const value of [["s", 1], ["s", "n", 1, 2], ["s", "_sd", 1], [1, "n", 1], {}])
      expect(() => decodeDisclosure(Buffer.from(JSON.stringify(value)).toString("base64url"))).toThrow(
        FormatError,
      );
    expect(() => parseSdJwt("a.b.c~d~e.f.g")).toThrow(FormatError);
  });
});
