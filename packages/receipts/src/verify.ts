/**
 * The offline verifier. It reports each property of a receipt separately and never throws for what it is
 * given: everything in a receipt, proof or bundle is hostile until its check says ok.
 *
 * V1 a key counts only for the issuer and log of the trust document that it came in.
 * V2 nothing in the receipt or its header is ever used as a key.
 * V3 a receipt whose signature cannot be decided is never `verified`.
 */
import type { ReceiptBody } from "./body.ts";
import { checkBody } from "./body-schema.ts";
import { fromBase64Url, fromUtf8 } from "./bytes.ts";
import { canonicalJson, type Json } from "./canonical.ts";
import type { VerifyCrypto } from "./crypto.ts";
import { checkDisclosures, parseJson } from "./disclosure.ts";
import { type Evidence, parseEvidence } from "./evidence.ts";
import { FormatError } from "./format-error.ts";
import { type CompactJws, headerProblem, parseJws } from "./jws.ts";
import {
  absent,
  type Check,
  type Checks,
  checkNames,
  exitCodes,
  failed,
  ok,
  type ReceiptReport,
  undecidable,
  verdictOf,
} from "./report.ts";
import type { TlogProof } from "./tlog-proof.ts";
import { lateReceipt, type ReceiptKey, readTrust, type TrustDocument, type TrustedTenant } from "./trust.ts";
import { createLogChecks, type EarlierCheckpoint, type LogChecks, type LogReport } from "./verify-log.ts";

export interface VerifyOptions {
  /** A checkpoint seen before, and the hashes (base64) that prove the receipt's checkpoint extends it. */
  readonly since?: EarlierCheckpoint;
  /** The id under which the receipt was handed over; the body must state the same. */
  readonly receiptId?: string;
  /** The leaf that it is, where that is proven by other means, as by the range proof of a pack. */
  readonly leafIndex?: number;
}

export interface Verifier {
  /** `text` is a tlog-proof, an SD-JWT or a compact JWS. Never rejects for its content. */
  verify(text: string, options?: VerifyOptions): Promise<ReceiptReport>;
}

/**
 * A verifier for the keys of some tenants. It remembers the checkpoints it has verified, so that receipts
 * of one bundle cost one checkpoint signature, and so that two heads of one size are found out.
 * Throws FormatError when a trust document contradicts itself.
 */
export function createVerifier(trust: readonly TrustDocument[], crypto: VerifyCrypto): Verifier {
  const tenants = trust.map((document) => readTrust(document, crypto.sha256));
  const logs = createLogChecks(crypto);
  return {
    async verify(text, options = {}) {
      try {
        return await verifyEvidence(parseEvidence(text), tenants, logs, crypto, options);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        return unreadable(error.message);
      }
    },
  };
}

/** Verifies one piece of evidence. For many, keep a verifier. */
export const verifyReceipt = (
  text: string,
  trust: readonly TrustDocument[],
  crypto: VerifyCrypto,
  options: VerifyOptions = {},
): Promise<ReceiptReport> => createVerifier(trust, crypto).verify(text, options);

async function verifyEvidence(
  evidence: Evidence,
  tenants: readonly TrustedTenant[],
  logs: LogChecks,
  crypto: VerifyCrypto,
  options: VerifyOptions,
): Promise<ReceiptReport> {
  const { jws: compact, disclosures } = evidence.sdJwt;
  const jws = parseJws(compact);
  const payload = readPayload(jws);
  const body = payload.value as ReceiptBody | undefined; // a claim until the schema check says ok
  const signer = findSigner(jws.header.kid, tenants, memberOf(body, "iss"));
  const log = await logs.check(compact, evidence.proof, signer?.tenant, memberOf(body, "log"), options.since);
  const shown = checkDisclosed(disclosures, body, crypto);
  const checks: Checks = {
    signature: await checkSignature(
      jws,
      signer,
      body,
      options.leafIndex ?? loggedAt(log, evidence.proof),
      crypto,
    ),
    canonicalForm: payload.canonicalForm,
    schema: checkSchema(body, payload.problem, options.receiptId),
    disclosures: shown.check,
    ...log,
  };
  const verdict = verdictOf(checks);
  return {
    verdict,
    exitCode: exitCodes[verdict],
    checks,
    receiptId: memberOf(body, "rid"),
    body,
    disclosed: shown.members,
    keyId: jws.header.kid,
    tenantId: signer?.tenant.tenantId,
    leafIndex: evidence.proof?.index,
    treeSize: logs.sizeOf(evidence.proof?.checkpoint),
  };
}

interface Payload {
  readonly value: unknown;
  readonly problem?: string;
  readonly canonicalForm: Check;
}

function readPayload(jws: CompactJws): Payload {
  try {
    const text = fromUtf8(fromBase64Url(jws.payload));
    const value = parseJson(text, "the payload");
    const canonicalForm =
      canonicalJson(value) === text
        ? ok("the payload is RFC 8785 canonical JSON")
        : failed("the payload is not in RFC 8785 canonical form");
    return { value, canonicalForm };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { value: undefined, problem: error.message, canonicalForm: failed(error.message) };
  }
}

function memberOf(body: unknown, name: "iss" | "log" | "rid"): string | undefined {
  const value =
    typeof body === "object" && body !== null ? (body as Record<string, unknown>)[name] : undefined; // read only
  return typeof value === "string" ? value : undefined;
}

interface Signer {
  readonly tenant: TrustedTenant;
  readonly key: ReceiptKey;
}

function findSigner(kid: string, tenants: readonly TrustedTenant[], issuer?: string): Signer | undefined {
  const known = tenants.flatMap((tenant) => {
    const key = tenant.receiptKeys.get(kid);
    return key ? [{ tenant, key }] : [];
  });
  return known.find(({ tenant }) => tenant.issuer === issuer) ?? known[0];
}

/** Where the receipt is in the log, where both the place and the head are proven. */
const loggedAt = (log: LogReport, proof: TlogProof | undefined): number | undefined =>
  log.inclusion.status === "ok" && log.checkpoint.status === "ok" ? proof?.index : undefined;

async function checkSignature(
  jws: CompactJws,
  signer: Signer | undefined,
  body: ReceiptBody | undefined,
  leafIndex: number | undefined,
  crypto: VerifyCrypto,
): Promise<Check> {
  const problem = headerProblem(jws.header);
  if (problem) return failed(problem);
  if (!signer) return undecidable(`key ${jws.header.kid} is not among the trust keys`);
  const { key, tenant } = signer;
  let signature: Uint8Array;
  try {
    signature = fromBase64Url(jws.signature);
  } catch (error) {
    return failed(`the signature cannot be read: ${(error as Error).message}`); // decoders throw FormatError only
  }
  if (!(await crypto.verifyEd25519(key.publicKey, jws.signingInput, signature)))
    return failed("the signature does not match header and payload");
  const issuer = memberOf(body, "iss");
  if (issuer !== tenant.issuer)
    return failed(`signed with a key of ${tenant.issuer}, but the receipt says ${issuer ?? "no issuer"}`);
  const late = lateReceipt(key, leafIndex);
  if (late) return undecidable(late);
  return ok(`Ed25519, key ${key.keyId} of ${tenant.tenantId}`);
}

function checkSchema(body: unknown, problem: string | undefined, receiptId: string | undefined): Check {
  if (problem !== undefined) return failed(problem);
  const version = (body as { v?: unknown } | null)?.v; // hostile JSON, only compared
  if (typeof version === "number" && version !== 1)
    return undecidable(`receipt version ${version} is newer than this verifier`);
  const { problems, unknown } = checkBody(body);
  if (problems.length > 0)
    return failed(problems.map(({ path, message }) => `${path || "/"} ${message}`).join("; "));
  const rid = memberOf(body, "rid");
  if (receiptId !== undefined && receiptId !== rid)
    return failed(`handed over as ${receiptId}, but it is ${rid}`);
  return ok(
    unknown.length > 0 ? `receipt version 1; not known here: ${unknown.join(", ")}` : "receipt version 1",
  );
}

function checkDisclosed(
  texts: readonly string[],
  body: ReceiptBody | undefined,
  crypto: VerifyCrypto,
): { check: Check; members: Readonly<Record<string, Json>> } {
  const digests = Array.isArray(body?._sd) ? body._sd.filter((digest) => typeof digest === "string") : [];
  if (texts.length === 0)
    return {
      check: absent(digests.length > 0 ? `${digests.length} members are withheld` : "none"),
      members: {},
    };
  const taken = new Set(Object.keys(body ?? {}));
  const { members, problems } = checkDisclosures(texts, digests, taken, crypto.sha256);
  const check =
    problems.length > 0
      ? failed(problems.join("; "))
      : ok(`${texts.length} of ${digests.length} members are shown: ${Object.keys(members).join(", ")}`);
  return { check, members };
}

function unreadable(detail: string): ReceiptReport {
  const checks = Object.fromEntries(checkNames.map((name) => [name, undecidable(detail)])) as Checks; // every name is set
  return {
    verdict: "undecidable",
    exitCode: 2,
    checks,
    receiptId: undefined,
    body: undefined,
    disclosed: {},
    keyId: undefined,
    tenantId: undefined,
    leafIndex: undefined,
    treeSize: undefined,
  };
}
