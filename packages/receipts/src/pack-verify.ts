/**
 * Verifies an evidence pack offline. It believes nothing in the pack but what a trusted key signed, reports each
 * property apart, and counts everything anew: population, figures, tags, gaps and the draw of samples.
 *
 * P1 one signature covers the manifest, and the manifest every other file: a file that was changed, added or left out
 *    is tampering.
 * P2 the receipts of a population are all leaves of their range of the log, neither more nor fewer.
 * P3 what the manifest says of figures, coverage and samples follows from the receipts.
 */
import { equalBytes, fromBase64, fromUtf8, toHex } from "./bytes.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import type { VerifyCrypto } from "./crypto.ts";
import { FormatError } from "./format-error.ts";
import { verifyConsistency } from "./merkle-verify.ts";
import {
  manifestFile,
  type PackManifest,
  parseSignedManifest,
  type SignedManifest,
  signatureFile,
} from "./pack.ts";
import { createPopulation, type Population } from "./pack-population.ts";
import { rangeRoot } from "./range-proof.ts";
import { absent, type Check, exitCodes, failed, ok, undecidable, type Verdict } from "./report.ts";
import { lateCheckpoint, readTrust, type TrustDocument, type TrustedTenant } from "./trust.ts";
import { createVerifier } from "./verify.ts";
import { judge } from "./verify-log.ts";

/** Access to the files of a pack; hostile. `read` throws FormatError for what cannot be read. */
export interface PackReader {
  readonly names: readonly string[];
  read(name: string): Promise<Uint8Array>;
}

export const packCheckNames = [
  "manifest",
  "files",
  "checkpoint",
  "population",
  "receipts",
  "controls",
  "samples",
  "consistency",
] as const;

export type PackChecks = Readonly<Record<(typeof packCheckNames)[number], Check>>;

export interface PackReport {
  readonly verdict: Verdict;
  /** 0 verified, 1 proven tampering, 2 cannot decide. */
  readonly exitCode: 0 | 1 | 2;
  readonly checks: PackChecks;
  /** Trust it only when verified. */
  readonly manifest: PackManifest | undefined;
}

/** Never rejects for what is in the pack. Holds one file at a time, and 32 bytes for each leaf. */
export async function verifyPack(
  reader: PackReader,
  trust: readonly TrustDocument[],
  crypto: VerifyCrypto,
): Promise<PackReport> {
  let signed: SignedManifest;
  try {
    signed = parseSignedManifest(fromUtf8(await reader.read(signatureFile)));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return unreadable(`${signatureFile}: ${error.message}`);
  }
  const tenants = trust.map((document) => readTrust(document, crypto.sha256));
  const tenant = tenants.find(
    (t) => t.tenantId === signed.manifest.tenantId && t.receiptKeys.has(signed.kid),
  );
  try {
    return await verifySigned(reader, signed, tenant, trust, crypto);
  } catch (error) {
    // a manifest of the right name whose members are of other types than it says
    if (!(error instanceof FormatError || error instanceof TypeError || error instanceof RangeError))
      throw error;
    return unreadable(`the pack cannot be read: ${error.message}`);
  }
}

async function verifySigned(
  reader: PackReader,
  signed: SignedManifest,
  tenant: TrustedTenant | undefined,
  trust: readonly TrustDocument[],
  crypto: VerifyCrypto,
): Promise<PackReport> {
  const { manifest } = signed;
  const manifestCheck = await checkManifest(reader, signed, tenant, crypto);
  if (manifestCheck.status === "failed") return report(manifest, { ...nothing, manifest: manifestCheck });
  const { head, signature } = await judge(manifest.checkpoint, tenant, crypto);
  const population = createPopulation(manifest, createVerifier(trust, crypto), crypto);
  const files = await checkFiles(reader, manifest, population, crypto);
  const counted = population.end();
  return report(manifest, {
    manifest: manifestCheck,
    files,
    checkpoint: signature,
    population: checkRange(manifest, counted.leaves, counted.order, head, crypto),
    receipts: counted.receipts,
    controls: counted.controls,
    samples: counted.samples,
    consistency: await checkPrevious(manifest, head, tenant, crypto),
  });
}

async function checkManifest(
  reader: PackReader,
  { manifest, payload, kid, signingInput, signature }: SignedManifest,
  tenant: TrustedTenant | undefined,
  crypto: VerifyCrypto,
): Promise<Check> {
  if (!equalBytes(await reader.read(manifestFile).catch(() => new Uint8Array()), payload))
    return failed(`${manifestFile} is not what was signed`);
  const key = tenant?.receiptKeys.get(kid);
  if (!tenant || !key) return undecidable(`key ${kid} of ${manifest.tenantId} is not among the trust keys`);
  if (!(await crypto.verifyEd25519(key.publicKey, signingInput, signature)))
    return failed("the signature does not match the manifest");
  if (manifest.issuer !== tenant.issuer || manifest.log !== tenant.origin)
    return failed(`signed with a key of ${tenant.issuer}, but the pack says ${manifest.issuer}`);
  if (key.status === "revoked") return undecidable("the key that signed the pack was revoked");
  const late = lateCheckpoint(key, sizeOf(manifest.checkpoint));
  if (late) return undecidable(`the key that signed the pack is retired: ${late}`);
  return ok(`Ed25519, key ${kid} of ${tenant.tenantId}`);
}

const sizeOf = (checkpoint: string): number => {
  try {
    return parseCheckpoint(checkpoint).size;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return Number.POSITIVE_INFINITY; // the check of the checkpoint tells why
  }
};

/** Reads each file once, in the order of the manifest, and hands on those that hold receipts. */
async function checkFiles(
  reader: PackReader,
  manifest: PackManifest,
  population: Population,
  crypto: VerifyCrypto,
): Promise<Check> {
  const listed = new Set([signatureFile, manifestFile, ...manifest.files.map((f) => f.path)]);
  const problems: string[] = [];
  if (listed.size !== manifest.files.length + 2) problems.push("the manifest names a file twice");
  if (new Set(reader.names).size !== reader.names.length) problems.push("the archive holds a name twice");
  for (const name of reader.names) if (!listed.has(name)) problems.push(`${name} is not in the manifest`);
  const there = new Set(reader.names);
  for (const { path, bytes, sha256 } of manifest.files) {
    if (!there.has(path)) {
      problems.push(`${path} is missing`);
      continue;
    }
    try {
      const content = await reader.read(path);
      if (content.length !== bytes || toHex(crypto.sha256(content)) !== sha256)
        problems.push(`${path} was changed`);
      else if (path.startsWith("receipts/") && path.endsWith(".jsonl"))
        await population.addLines(fromUtf8(content));
      else if (path.startsWith("samples/")) await population.addSample(path, fromUtf8(content));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problems.push(`${path}: ${error.message}`);
    }
  }
  return problems.length > 0
    ? failed(problems.slice(0, 20).join("; "))
    : ok(`${manifest.files.length} files are as they were signed`);
}

function checkRange(
  manifest: PackManifest,
  leaves: readonly Uint8Array[],
  order: string | null,
  head: Checkpoint | undefined,
  crypto: VerifyCrypto,
): Check {
  const { population } = manifest;
  if (!population) return absent("an incident has no population: each of its receipts has a proof");
  const { first, end, treeSize, inWindow } = population;
  if (order !== null) return failed(order);
  if (!head) return undecidable("without a checkpoint nobody can tell");
  if (treeSize !== head.size)
    return failed(`the population is of a tree of ${treeSize}, the checkpoint of ${head.size}`);
  const root = rangeRoot(
    { first, end, size: treeSize },
    leaves,
    population.proof.map(fromBase64),
    crypto.sha256,
  );
  if (!root || !equalBytes(root, head.root))
    return failed(`the receipts are not the leaves ${first} to ${end - 1} of the log`);
  return ok(
    `all ${end - first} leaves from ${first} on, of ${treeSize}; ${inWindow} receipts are of the window`,
  );
}

async function checkPrevious(
  { previous }: PackManifest,
  head: Checkpoint | undefined,
  tenant: TrustedTenant | undefined,
  crypto: VerifyCrypto,
): Promise<Check> {
  if (!previous) return absent("no pack was delivered before");
  const before = await judge(previous.checkpoint, tenant, crypto);
  if (before.signature.status === "failed") return failed(`of the pack before: ${before.signature.detail}`);
  if (!head || !before.head || before.signature.status !== "ok") return undecidable(before.signature.detail);
  const consistent = verifyConsistency(
    {
      from: before.head.size,
      to: head.size,
      oldRoot: before.head.root,
      newRoot: head.root,
      proof: previous.consistency.map(fromBase64),
    },
    crypto.sha256,
  );
  return consistent
    ? ok(`the log only grew since pack ${previous.packId}, from ${before.head.size}`)
    : failed(`the log is not the one of pack ${previous.packId}`);
}

const notLooked = undecidable("not looked at");
const nothing = Object.fromEntries(packCheckNames.map((name) => [name, notLooked])) as PackChecks; // every name is set

function report(manifest: PackManifest | undefined, checks: PackChecks): PackReport {
  const all = Object.values(checks);
  const verdict: Verdict = all.some((c) => c.status === "failed")
    ? "tampered"
    : all.some((c) => c.status === "undecidable")
      ? "undecidable"
      : "verified";
  return { verdict, exitCode: exitCodes[verdict], checks, manifest };
}

const unreadable = (detail: string): PackReport =>
  report(undefined, { ...nothing, manifest: undecidable(detail) });
