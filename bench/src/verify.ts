/**
 * What one receipt costs: signing it as the server does, and checking it as a stranger does. Run with
 * `node --conditions=oars-source bench/src/verify.ts`. Prints the median of rounds, one core, one line each.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  createVerifier,
  createWebCrypto,
  formatSdJwt,
  formatTlogProof,
  formatVkey,
  inclusionProof,
  leavesReader,
  noteKey,
  type ReceiptBody,
  rootHash,
  sha256,
  type TrustDocument,
  toBase64Url,
} from "@oars/receipts";
import { createNodeCrypto, publicKeyOf, signCheckpoint, signReceipt } from "@oars/receipts/node";

const receiptKey = generateKeyPairSync("ed25519");
const logKey = generateKeyPairSync("ed25519");
const tenantId = "ten_01jdzx0000e01sz5ke6vsr3vg0";
const origin = `bench.example/log/${tenantId}`;
const issuer = `https://bench.example/t/${tenantId}`;
const digest = `sha256:${"0".repeat(64)}`;
const id = (prefix: string, n: number): string =>
  `${prefix}_01jdzx0000e01sz5ke6v${String(n).padStart(6, "0")}`;

const trustItem = (key: typeof receiptKey, use: "receipt" | "log") => {
  const { raw, keyId } = publicKeyOf(key.publicKey);
  return {
    keyId,
    tenantId,
    use,
    status: "active" as const,
    createdAt: "2026-11-01T00:00:00.000Z",
    rotatedAt: null,
    publicKeyPem: key.publicKey.export({ type: "spki", format: "pem" }).toString(),
    jwk: { kty: "OKP" as const, crv: "Ed25519" as const, x: toBase64Url(raw) },
    ...(use === "log" ? { vkey: formatVkey(noteKey(origin, raw, sha256)) } : {}),
  };
};
const trust: TrustDocument = {
  tenantId,
  origin,
  issuer,
  items: [trustItem(receiptKey, "receipt"), trustItem(logKey, "log")],
};

const bodyOf = (n: number): ReceiptBody => ({
  v: 1,
  typ: "action.decision",
  rid: id("rct", n),
  nonce: toBase64Url(randomBytes(16)),
  iss: issuer,
  log: origin,
  ts: "2026-11-20T10:00:00.123Z",
  run: { id: id("run", 1), step: "ship", flow: "order-to-warehouse", version: "1.2.0", hash: digest },
  action: {
    id: id("act", n),
    protocol: "workflow",
    server: "wms",
    tool: "wms/http.request",
    operation: "write",
    target: "https://wms.example/orders",
    env: "prod",
    digest,
  },
  principal: { agent: id("prn", 1), user: id("prn", 2), chain: [id("prn", 2), id("prn", 1)] },
  decision: {
    effect: "allow",
    reasons: ["allow-warehouse"],
    errors: [],
    policy: { bundle: digest, version: "3", engine: "cedar-wasm/4.13.0", schema: digest },
    entities: digest,
    context: digest,
    mode: "enforce",
  },
});

async function measure(
  name: string,
  rounds: number,
  perRound: number,
  fn: (i: number) => unknown,
): Promise<void> {
  const figures: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const started = performance.now();
    for (let i = 0; i < perRound; i++) await fn(i);
    if (round >= 0) figures.push(((performance.now() - started) * 1000) / perRound);
  }
  figures.sort((a, b) => a - b);
  const [low = 0, median = 0] = [figures[0], figures[figures.length >> 1]];
  process.stdout.write(
    `${name.padEnd(52)} median ${median.toFixed(0).padStart(5)} us   best ${low.toFixed(0).padStart(5)} us\n`,
  );
}

const count = 2000;
const { keyId } = publicKeyOf(receiptKey.privateKey);
const bodies = Array.from({ length: count }, (_, n) => bodyOf(n));
const signed = bodies.map((body) => signReceipt(body, receiptKey.privateKey, keyId));
const read = leavesReader(
  signed.map((one) => one.leafHash),
  sha256,
);
const checkpoint = signCheckpoint(
  { origin, size: count, root: rootHash(count, read, sha256) },
  logKey.privateKey,
);
const proofs = signed.map(({ jws }, index) =>
  formatTlogProof({
    index,
    hashes: inclusionProof(index, count, read, sha256),
    checkpoint,
    extra: formatSdJwt(jws, []),
  }),
);
const verifier = createVerifier([trust], createNodeCrypto());
const browser = createVerifier([trust], createWebCrypto());
const report = await verifier.verify(proofs[7] ?? "");
if (report.verdict !== "verified") throw new Error(JSON.stringify(report.checks));

await measure("sign one receipt", 7, count, (i) =>
  signReceipt(bodies[i] as ReceiptBody, receiptKey.privateKey, keyId),
); // i < count
await measure("verify one JWS", 7, count, (i) => verifier.verify(signed[i]?.jws ?? ""));
await measure(`verify one tlog-proof (tree of ${count})`, 7, count, (i) => verifier.verify(proofs[i] ?? ""));
await measure("verify one tlog-proof, fresh verifier each", 7, 500, (i) =>
  createVerifier([trust], createNodeCrypto()).verify(proofs[i] ?? ""),
);
await measure("verify one tlog-proof, WebCrypto and TypeScript hash", 5, 500, (i) =>
  browser.verify(proofs[i] ?? ""),
);
