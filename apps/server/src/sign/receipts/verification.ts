/**
 * Verification on request: a receipt, the chain it came with, and keys that the caller vouches for. All of it is
 * hostile. It never throws for what it is given.
 *
 * [W13] a key that the caller supplies counts only for an issuer that this server does not know: for a tenant of
 *       this server its own keys decide, and a key of one tenant never speaks for another.
 * [W14] a chain counts only when the receipt is in it and each of its receipts is verified on its own.
 * [W15] what cannot be read is undecidable, and nothing but the reason is told.
 */
import {
  type ChainLink,
  type Check,
  createVerifier,
  decodeBody,
  FormatError,
  parseEvidence,
  publicKeyFromPem,
  type ReceiptReport,
  receiptDigest,
  type TrustDocument,
  thumbprint,
  toBase64Url,
  type Verifier,
  type VerifyCrypto,
  verifyChain,
} from "@oars/receipts";
import { parseId, sha256 } from "#platform/kernel";

export interface SuppliedKey {
  /** RFC 7638 thumbprint; may be left out. */
  readonly keyId?: string | undefined;
  readonly publicKeyPem: string;
}

export interface VerifyRequest {
  /** A tlog-proof, SD-JWT or compact JWS. */
  readonly text: string;
  /** The other receipts of the action in the same forms, with or without the receipt itself. */
  readonly chain?: readonly string[] | undefined;
  readonly keys?: readonly SuppliedKey[] | undefined;
  readonly trust?: readonly TrustDocument[] | undefined;
}

export interface VerifyAnswer extends Omit<ReceiptReport, "checks"> {
  readonly checks: ReceiptReport["checks"] & { readonly chain: Check };
  readonly isSignatureValid: boolean;
  /** False also where no chain was given: then `checks.chain` is absent. */
  readonly isChainValid: boolean;
  readonly isSchemaValid: boolean;
  /** One sentence for each check that failed or cannot be decided. */
  readonly verificationErrors: readonly string[];
}

/** Trust of the tenant of this server with that issuer, if there is one. */
export type TrustOfIssuer = (issuer: string) => Promise<TrustDocument | undefined>;

export async function verifyRequest(
  request: VerifyRequest,
  own: TrustDocument,
  trustOfIssuer: TrustOfIssuer,
  crypto: VerifyCrypto,
): Promise<VerifyAnswer> {
  const problems: string[] = [];
  const trust = [own, ...(request.trust ?? [])];
  const claimed = claimsOf(request.text);
  if (claimed && request.keys && request.keys.length > 0) {
    const here = claimed.iss === own.issuer ? own : await trustOfIssuer(claimed.iss);
    if (here === undefined) trust.push(vouchedFor(request.keys, claimed, own, problems));
    else if (here !== own) trust.push(here);
  }
  const verifier = verifierOf(trust, crypto, problems);
  const report = await verifier.verify(request.text);
  const chain = await chainOf(request, report, verifier);
  return answerOf(report, chain, problems);
}

const parsed = (text: string): string | undefined => {
  try {
    return parseEvidence(text).sdJwt.jws;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
};

function claimsOf(text: string): { iss: string; log: string } | undefined {
  const jws = parsed(text);
  if (jws === undefined) return undefined;
  try {
    const { iss, log } = decodeBody(jws);
    return typeof iss === "string" && typeof log === "string" ? { iss, log } : undefined;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** A trust document of keys that the caller vouches for; those of the own tenant are not lent to another issuer. */
function vouchedFor(
  keys: readonly SuppliedKey[],
  claimed: { iss: string; log: string },
  own: TrustDocument,
  problems: string[],
): TrustDocument {
  const tenantId = "supplied by the caller";
  const items: TrustDocument["items"][number][] = [];
  keys.forEach(({ keyId, publicKeyPem }, i) => {
    try {
      const x = toBase64Url(publicKeyFromPem(publicKeyPem));
      const kid = thumbprint(x, sha256);
      if (keyId !== undefined && keyId !== kid) problems.push(`key ${i + 1}: its id is not its thumbprint`);
      else if (own.items.some((item) => item.keyId === kid))
        problems.push(`key ${i + 1} belongs to ${own.issuer}, not to ${claimed.iss}`);
      else {
        const jwk = { kty: "OKP", crv: "Ed25519", x } as const;
        const given = { createdAt: "", rotatedAt: null, publicKeyPem, jwk };
        items.push({ keyId: kid, tenantId, use: "receipt", status: "active", ...given });
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problems.push(`key ${i + 1}: ${error.message}`);
    }
  });
  return { tenantId, issuer: claimed.iss, origin: claimed.log, items };
}

/** A trust document that contradicts itself is left out and named. */
function verifierOf(trust: readonly TrustDocument[], crypto: VerifyCrypto, problems: string[]): Verifier {
  const sound = trust.filter((document) => {
    try {
      createVerifier([document], crypto);
      return true;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problems.push(`trust: ${error.message}`);
      return false;
    }
  });
  return createVerifier(sound, crypto);
}

async function chainOf(request: VerifyRequest, report: ReceiptReport, verifier: Verifier): Promise<Check> {
  if (request.chain === undefined || request.chain.length === 0)
    return { status: "absent", detail: "no chain was given" };
  const links: ChainLink[] = [];
  for (const [i, text] of request.chain.entries()) {
    const jws = parsed(text);
    if (jws === undefined)
      return { status: "undecidable", detail: `receipt ${i + 1} of the chain cannot be read` };
    links.push({ report: await verifier.verify(text), digest: receiptDigest(jws, sha256) });
  }
  const jws = parsed(request.text);
  if (jws === undefined) return { status: "undecidable", detail: "the receipt cannot be read" };
  return verifyChain({ report, digest: receiptDigest(jws, sha256) }, links);
}

function answerOf(report: ReceiptReport, chain: Check, problems: readonly string[]): VerifyAnswer {
  const checks = { ...report.checks, chain };
  const bad = Object.entries(checks).filter(
    ([, { status }]) => status === "failed" || status === "undecidable",
  );
  const { signature, schema, canonicalForm } = checks;
  const verdict =
    chain.status === "failed"
      ? ("tampered" as const)
      : chain.status === "undecidable" && report.verdict === "verified"
        ? ("undecidable" as const)
        : report.verdict;
  return {
    ...report,
    verdict,
    exitCode: verdict === "verified" ? 0 : verdict === "tampered" ? 1 : 2,
    checks,
    isSignatureValid: signature.status === "ok",
    isChainValid: chain.status === "ok",
    isSchemaValid: schema.status === "ok" && canonicalForm.status === "ok",
    verificationErrors: [...new Set([...problems, ...bad.map(([name, { detail }]) => `${name}: ${detail}`)])],
  };
}

/** The tenant whose id stands at the end of an issuer URL of this server's form. */
export const tenantOfIssuer = (issuer: string): string | undefined =>
  parseId("tenant", /\/t\/([^/]+)$/.exec(issuer)?.[1] ?? "");
