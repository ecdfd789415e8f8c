/** The one-page verifier as it is committed: what is in it, and that it decides as the package does. */
import { createHash, createPublicKey, generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { buildVerifier, verifierFile, verifierGlobal } from "../../../scripts/build-verifier.ts";
import type * as Page from "../page/judge.ts";
import type { ReceiptBody } from "./body.ts";
import { bundleFormat, splitEvidence } from "./evidence.ts";
import { createNodeCrypto, publicKeyOf, signReceipt } from "./node.ts";
import { checkNames, type ReceiptReport } from "./report.ts";
import type { TrustDocument } from "./trust.ts";
import { createVerifier } from "./verify.ts";
import type { EarlierCheckpoint } from "./verify-log.ts";

interface Vector {
  readonly trust: readonly string[];
  readonly since?: EarlierCheckpoint;
  readonly input: string;
}

const html = readFileSync(verifierFile, "utf8");
const between = (start: string, end: string): string => html.split(start)[1]?.split(end)[0] ?? "";
const [script, style] = [between("<script>", "</script>"), between("<style>", "</style>")];
const policy = between('http-equiv="Content-Security-Policy" content="', '"');

/** The page's own script, without a document and without what only Node has. */
const page = runInThisContext(
  `(function (process, Buffer, require, fetch, document) {${script}; return ${verifierGlobal}; })`,
)() as Pick<typeof Page, "judge" | "readKeys">; // what main.ts exports

const folder = new URL("./vectors/", import.meta.url);
const text = (name: string): string => readFileSync(new URL(name, folder), "utf8");
const names = readdirSync(folder).filter((name) => /^(valid|invalid)-.*\.json$/.test(name));
const file = (name: string, content: string | Uint8Array): Page.Given => {
  const bytes = Buffer.from(content);
  return { name, size: bytes.length, readAt: async (at, length) => bytes.subarray(at, at + length) };
};
const trustOf = (vector: Vector): Page.Given[] =>
  vector.trust.map((name) => file(`${name}.json`, text(`trust-${name}.json`)));
const statuses = (report: ReceiptReport) => [
  report.verdict,
  ...checkNames.map((name) => report.checks[name].status),
];

/** As a person would give it: the receipt, and what was kept of an earlier visit as two files more. */
async function judged(vector: Vector): Promise<Page.Judgement> {
  const { since } = vector;
  const earlier = since
    ? [
        file("old.txt", since.checkpoint),
        file("growth.json", JSON.stringify({ from: 1, hashes: since.hashes })),
      ]
    : [];
  const { documents } = await page.readKeys(trustOf(vector));
  return page.judge([file("given", vector.input), ...earlier], documents);
}

describe("the committed page", () => {
  it("is what the script makes of the sources (else: npm run build:verifier)", async () => {
    expect((await buildVerifier()) === html, "packages/receipts/verify.html is out of date").toBe(true);
  });

  it("may reach nothing: no other file, no address, and no way to ask for one", () => {
    expect(html).not.toMatch(/\b(https?|wss?):\/\/|\/\/[a-z0-9-]+\.[a-z]/i);
    expect(html).not.toMatch(/<(link|img|iframe|object|embed|base|form|script src)\b/i);
    expect(script).not.toMatch(/\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|WebTransport)\b/);
    expect(script).not.toMatch(/\b(eval|innerHTML|outerHTML|insertAdjacentHTML|localStorage)\b|import\(/);
    expect(style).not.toMatch(/url\(|@import/);
  });

  it("allows its own script and style by digest and nothing else", () => {
    const digest = (part: string): string => `'sha256-${createHash("sha256").update(part).digest("base64")}'`;
    expect(policy.split("; ")).toEqual([
      "default-src 'none'",
      `script-src ${digest(script)}`,
      `style-src ${digest(style)}`,
      "connect-src 'none'",
      "base-uri 'none'",
      "form-action 'none'",
    ]);
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html).not.toMatch(/ (style|on[a-z]+)=/);
  });

  it("names each of its fields for those who hear it", () => {
    for (const [, id] of html.matchAll(/<input id="([^"]+)"/g)) expect(html).toContain(`for="${id}"`);
    expect(html).toContain('role="status" aria-live="polite"');
    expect(html).toContain('<html lang="en">');
  });
});

describe("the page's script", () => {
  it.each(names)("decides %s as the package does", async (name) => {
    const vector: Vector = JSON.parse(text(name));
    const trust = vector.trust.map((one): TrustDocument => JSON.parse(text(`trust-${one}.json`)));
    const verifier = createVerifier(trust, createNodeCrypto());
    const wanted: unknown[] = [];
    for (const item of splitEvidence(vector.input)) {
      const { receiptId } = item;
      const options = {
        ...(receiptId ? { receiptId } : {}),
        ...(vector.since ? { since: vector.since } : {}),
      };
      wanted.push(statuses(await verifier.verify(item.text, options)));
    }
    const judgement = await judged(vector);
    expect(judgement.receipts.map(({ report }) => statuses(report))).toEqual(wanted);
    expect(judgement.problems).toEqual([]);
    expect(judgement.compared).toBe(vector.since !== undefined);
    if (name.startsWith("invalid-")) expect(judgement.verdict).not.toBe("verified");
  });

  it("finds what a bundle leaves out, and says nothing of gaps where one receipt is given", async () => {
    const { keys, items } = actionOf("action.decision", "execution.finished");
    const { documents } = await page.readKeys([file("keys.json", JSON.stringify(keys))]);
    const bundle = (of: typeof items) =>
      file("run.json", JSON.stringify({ format: bundleFormat, run: "run_x", items: of }));
    const whole = await page.judge([bundle(items)], documents);
    expect([whole.verdict, whole.chains.map(({ check }) => check.status)]).toEqual(["verified", ["ok"]]);
    const less = await page.judge([bundle(items.slice(1))], documents);
    expect(less.receipts.map(({ report }) => report.verdict)).toEqual(["verified"]);
    expect([less.verdict, less.chains.map(({ check }) => check.status)]).toEqual(["tampered", ["failed"]]);
    const alone = await page.judge([file("r.jws", items[1]?.proof ?? "")], documents);
    expect([alone.verdict, alone.chains]).toEqual(["verified", []]);
  });

  it("believes no keys that come with the evidence", async () => {
    const vector: Vector = JSON.parse(text("valid-tlog-proof.json"));
    const judgement = await page.judge([file("r", vector.input), ...trustOf(vector)], []);
    expect(judgement.verdict).toBe("undecidable");
    expect(judgement.problems.map(({ reason }) => reason)).toEqual([expect.stringContaining("step 1")]);
  });

  it.each([
    ["nothing", []],
    ["no text", [file("a", Uint8Array.of(0xff, 0xfe, 0x00))]],
    ["an empty file", [file("a", "")]],
    ["JSON of something else", [file("a", '{"a":1}')]],
    ["half an archive", [file("a.zip", "PK\x03\x04")]],
    ["an archive of no pack", [file("a.zip", zipOf("a", "b"))]],
  ])("cannot decide %s, and does not fail", async (_, files) => {
    expect((await page.judge(files, [])).verdict).not.toBe("verified");
  });

  it.each(["", "[]", "{}", '{"issuer":1,"origin":2,"items":3}', '{"issuer":"a","origin":"b","items":[{}]}'])(
    "takes %j for no keys",
    async (content) => {
      const { documents, problems } = await page.readKeys([file("keys.json", content)]);
      expect([documents, problems.length]).toEqual([[], 1]);
    },
  );
});

/** Receipts of one action, and the keys that they are signed with. */
function actionOf(...types: readonly ReceiptBody["typ"][]) {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { raw, keyId } = publicKeyOf(privateKey);
  const publicKeyPem = createPublicKey(privateKey).export({ type: "spki", format: "pem" });
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(raw).toString("base64url") };
  const key = { keyId, tenantId: "ten_x", use: "receipt", status: "active", createdAt: "", rotatedAt: null };
  const issuer = "https://oars.example/t/x";
  const keys = {
    tenantId: "ten_x",
    issuer,
    origin: "oars.example/log/x",
    items: [{ ...key, publicKeyPem, jwk }],
  };
  const items = types.map((typ, i) => {
    const body = {
      v: 1,
      typ,
      rid: `rct_01jdzx0000e01sz5ke6vs0000${i}`,
      nonce: "AAAAAAAAAAAAAAAAAAAAAA",
      iss: issuer,
      log: keys.origin,
      ts: new Date(Date.UTC(2026, 10, 20) + i).toISOString(),
      action: { id: "act_01jdzx0000e01sz5ke6vs00001", digest: `sha256:${"a".repeat(64)}` },
      ...(typ === "action.decision"
        ? { decision: { effect: "allow" } }
        : { outcome: { status: "completed", attempt: 1 } }),
    } as ReceiptBody; // what the schema asks for, and no more
    return { receiptId: body.rid, proof: signReceipt(body, privateKey, keyId).jws };
  });
  return { keys, items };
}

/** An archive of one packed file. */
function zipOf(name: string, content: string): Uint8Array {
  const packed = deflateRawSync(content);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(8, 4);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(content.length, 18);
  fields.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), fields, Buffer.from(name), packed]);
  const start = Buffer.from("PK\x01\x02\x14\x00", "latin1");
  const central = Buffer.concat([start, fields, Buffer.alloc(14), Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}
