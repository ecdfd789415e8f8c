/** Receipts, proofs and bundles of every released format. These files never change: they must read for ever. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createWebCrypto } from "./crypto.ts";
import { splitEvidence } from "./evidence.ts";
import { createNodeCrypto } from "./node.ts";
import { type CheckName, checkNames, type ReceiptReport, worstExit } from "./report.ts";
import type { TrustDocument } from "./trust.ts";
import { createVerifier } from "./verify.ts";
import type { EarlierCheckpoint } from "./verify-log.ts";

interface Vector {
  readonly title: string;
  readonly trust: readonly string[];
  readonly since?: EarlierCheckpoint;
  readonly input: string;
  readonly expect: { readonly exitCode: number; readonly checks: readonly Record<CheckName, string>[] };
}

const folder = new URL("./vectors/", import.meta.url);
const load = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as T; // our own files
const names = readdirSync(folder).filter((name) => /^(valid|invalid)-.*\.json$/.test(name));
const cases = names.map((name) => ({ name, ...load<Vector>(name) }));

async function run(vector: Vector, crypto = createNodeCrypto()): Promise<ReceiptReport[]> {
  const verifier = createVerifier(
    vector.trust.map((name) => load<TrustDocument>(`trust-${name}.json`)),
    crypto,
  );
  const reports: ReceiptReport[] = [];
  for (const { text, receiptId } of splitEvidence(vector.input)) {
    const options = { ...(receiptId ? { receiptId } : {}), ...(vector.since ? { since: vector.since } : {}) };
    reports.push(await verifier.verify(text, options));
  }
  return reports;
}

const statuses = (report: ReceiptReport): Record<string, string> =>
  Object.fromEntries(checkNames.map((name) => [name, report.checks[name].status]));

describe("golden receipts", () => {
  it("are all here", () => {
    expect(names.filter((name) => name.startsWith("valid-")).length).toBeGreaterThanOrEqual(11);
    expect(names.filter((name) => name.startsWith("invalid-")).length).toBeGreaterThanOrEqual(29);
  });

  it.each(cases)("$name: $title", async (vector) => {
    const reports = await run(vector);
    expect(reports.map(statuses)).toEqual(vector.expect.checks);
    expect(worstExit(reports.map((report) => report.exitCode))).toBe(vector.expect.exitCode);
  });

  it("get the same verdict from the browser's primitives", async () => {
    for (const vector of cases)
      expect((await run(vector, createWebCrypto())).map(statuses), vector.name).toEqual(vector.expect.checks);
  });

  it.each([
    ["[V1] a key of another tenant", "invalid-other-tenants-key.json", "failed"],
    ["[V1] another tenant's trust", "invalid-key-of-other-trust.json", "undecidable"],
    ["[V2] a key in the header", "invalid-jwk-in-header.json", "undecidable"],
    ["[V3] an unknown key", "invalid-unknown-key.json", "undecidable"],
  ])("are not verified by %s", async (_, name, status) => {
    const [report] = await run(load<Vector>(name));
    expect(report?.checks.signature.status).toBe(status);
    expect(report?.verdict).not.toBe("verified");
  });

  it("are never verified after one character is changed, anywhere", async () => {
    const vector = load<Vector>("valid-tlog-proof.json");
    const verifier = createVerifier([load<TrustDocument>("trust-acme.json")], createNodeCrypto());
    for (let i = 0; i < vector.input.length; i++) {
      const other = vector.input[i] === "A" ? "B" : "A";
      const changed = vector.input.slice(0, i) + other + vector.input.slice(i + 1);
      expect((await verifier.verify(changed)).verdict, `character ${i}`).not.toBe("verified");
    }
  });

  it("show the disclosed members and only those that belong to the receipt", async () => {
    const [shown] = await run(load<Vector>("valid-sd-jwt-shown.json"));
    expect(shown?.disclosed).toEqual({
      args: { quantity: 3, sku: "A-1" },
      "user.email": "m\u00f6bius@example.com",
    });
    const [foreign] = await run(load<Vector>("invalid-disclosure-of-other.json"));
    expect(foreign?.disclosed).toEqual({});
  });
});
