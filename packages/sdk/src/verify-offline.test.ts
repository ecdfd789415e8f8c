import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ReceiptBundle, TrustDocument } from "./index.ts";
import { verifyOffline } from "./receipts.ts";

const vectors = new URL("../../receipts/src/vectors/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(`${name}.json`, vectors), "utf8");
const input = (name: string): string => (JSON.parse(read(name)) as { input: string }).input; // a vector's evidence
const acme = JSON.parse(read("trust-acme")) as TrustDocument; // as the server answers it
const globex = JSON.parse(read("trust-globex")) as TrustDocument;

const verdicts = async (evidence: string | ReceiptBundle, trust = [acme]): Promise<string[]> =>
  (await verifyOffline(evidence, trust)).map((report) => report.verdict);

describe("verifyOffline", () => {
  it("verifies a bundle as the API gives it, and as its text", async () => {
    const text = input("valid-bundle");
    const all = Array.from({ length: 11 }, () => "verified");
    expect(await verdicts(JSON.parse(text) as ReceiptBundle)).toEqual(all);
    expect(await verdicts(text)).toEqual(all);
  });

  it("finds a receipt that was changed, one under another's name, and one of a tenant that is not trusted", async () => {
    expect(await verdicts(input("invalid-tampered-payload"))).toEqual(["tampered"]);
    expect(await verdicts(input("invalid-bundle-renamed"))).toContain("tampered");
    expect(await verdicts(input("valid-tlog-proof"), [globex])).toEqual(["undecidable"]);
  });

  it("throws for JSON that is not a bundle", async () => {
    await expect(verifyOffline("{}", [acme])).rejects.toThrow("not a bundle");
  });
});
