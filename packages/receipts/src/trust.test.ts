import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FormatError } from "./format-error.ts";
import { sha256 } from "./sha256.ts";
import { readTrust, type TrustDocument, type TrustItem } from "./trust.ts";

const load = (name: string): TrustDocument =>
  JSON.parse(readFileSync(new URL(`./vectors/trust-${name}.json`, import.meta.url), "utf8")) as TrustDocument; // our own file
const acme = load("acme");
const globex = load("globex");
const pick = (document: TrustDocument, use: TrustItem["use"]): TrustItem => {
  const found = document.items.find((item) => item.use === use);
  if (!found) throw new Error(`no ${use} key`);
  return found;
};

describe("trust keys", () => {
  it("are sorted by use, and a log key never checks receipts", () => {
    const tenant = readTrust(acme, sha256);
    expect([...tenant.receiptKeys.keys()]).not.toContain(pick(acme, "log").keyId);
    expect(tenant.logKeys).toHaveLength(1);
  });

  it.each<[string, unknown]>([
    ["nothing", null],
    ["no issuer", { ...acme, issuer: undefined }],
    ["a key of another tenant", { ...acme, items: [pick(globex, "receipt")] }],
    [
      "a key id that is not the key's",
      { ...acme, items: [{ ...pick(acme, "receipt"), keyId: pick(acme, "log").keyId }] },
    ],
    [
      "a PEM of another key",
      { ...acme, items: [{ ...pick(acme, "receipt"), publicKeyPem: pick(acme, "log").publicKeyPem }] },
    ],
    ["a vkey of another log", { ...acme, items: [{ ...pick(acme, "log"), vkey: pick(globex, "log").vkey }] }],
    ["a key without its jwk", { ...acme, items: [{ ...pick(acme, "receipt"), jwk: undefined }] }],
  ])("are refused with %s", (_, document) => {
    expect(() => readTrust(document, sha256)).toThrow(FormatError);
  });
});
