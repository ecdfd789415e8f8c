/**
 * The chain of one action: its receipts, from the decision to the outcome, each with what must stand before it.
 * A signature tells that a receipt is genuine; the chain tells that none of them is missing, exchanged or from
 * elsewhere. Each receipt must have been verified on its own before: `verifyChain` looks at their reports.
 *
 * C1 every receipt of the chain is verified, of one issuer, and tells of one action with one digest.
 * C2 no effect without a decision that allows it; no approval without a decision that asks for it.
 * C3 what was resolved names its votes by digest, and each of them is there.
 * C4 no attempt is left out.
 * C5 where places in the log are known, no receipt stands before what it rests on; but decision and request of one
 *    commit may come in either order.
 */
import type { ReceiptBody } from "./body.ts";
import { absent, type Check, failed, ok, type ReceiptReport, undecidable } from "./report.ts";

export interface ChainLink {
  readonly report: ReceiptReport;
  /** `receiptDigest` of its JWS. */
  readonly digest: string;
}

interface Link {
  readonly body: ReceiptBody;
  readonly digest: string;
  readonly index: number | undefined;
}

/** `of` is the receipt that was asked about; it must be one of the chain. No links: nothing to check. */
export function verifyChain(of: ChainLink, links: readonly ChainLink[]): Check {
  if (links.length === 0) return absent("no chain was given");
  const chain = new Map(links.map((link) => [link.digest, link]));
  if (!chain.has(of.digest)) return failed("the receipt is not in the chain that was given with it");
  const known: Link[] = [];
  for (const { report, digest } of chain.values()) {
    const name = report.receiptId ?? "a receipt that cannot be read";
    if (report.verdict === "tampered") return failed(`${name} of the chain is not genuine`);
    if (report.verdict === "undecidable" || !report.body)
      return undecidable(`${name} of the chain cannot be decided`);
    known.push({ body: report.body, digest, index: report.leafIndex });
  }
  const problems = [...unity(known), ...order(known)];
  return problems.length > 0
    ? failed(problems.join("; "))
    : ok(`${known.length} ${known.length === 1 ? "receipt" : "receipts"}, none missing between them`);
}

function unity(links: readonly Link[]): string[] {
  const issuers = new Set(links.map(({ body }) => body.iss));
  if (issuers.size > 1) return ["the chain has receipts of several issuers"];
  const actions = new Set(links.map(({ body }) => body.action?.id));
  if (links.length > 1 && (actions.size > 1 || actions.has(undefined)))
    return ["the chain has receipts that tell of different things"];
  const digests = new Set(links.flatMap(({ body }) => body.action?.digest ?? []));
  return digests.size > 1 ? ["the receipts name different contents of the action"] : [];
}

type Before = (test: (body: ReceiptBody) => boolean) => boolean;

function order(links: readonly Link[]): string[] {
  const problems: string[] = [];
  for (const link of links) {
    const before: Before = (test) => links.some((other) => test(other.body) && !standsAfter(other, link));
    const missing = missingBefore(link.body, before, links);
    if (missing) problems.push(`${link.body.rid} (${link.body.typ}) stands without ${missing}`);
  }
  return problems;
}

/** By the log where both places are known, else by the time stated. */
const standsAfter = (a: Link, b: Link): boolean =>
  a.index !== undefined && b.index !== undefined ? a.index > b.index : a.body.ts > b.body.ts;

const decided = (body: ReceiptBody, ...effects: readonly string[]): boolean =>
  body.typ === "action.decision" &&
  body.decision?.mode !== "shadow" &&
  effects.includes(body.decision?.effect ?? "");

const ofRequest = (body: ReceiptBody, typ: ReceiptBody["typ"], request: string | undefined): boolean =>
  body.typ === typ && body.approval?.request === request;

function missingBefore(body: ReceiptBody, before: Before, links: readonly Link[]): string | undefined {
  const request = body.approval?.request;
  const requested = (): boolean => before((b) => ofRequest(b, "approval.requested", request));
  switch (body.typ) {
    case "execution.started":
    case "execution.finished":
      return executionLacks(body, before);
    case "approval.requested":
      // Decision and request are of one commit, so either may come first in the log.
      return links.some((link) => decided(link.body, "require_approval"))
        ? undefined
        : "the decision that asks for it";
    case "approval.vote":
    case "approval.expired":
      return requested() ? undefined : "the request that it answers";
    case "approval.resolved": {
      if (!requested()) return "the request that it answers";
      const here = new Set(links.map(({ digest }) => digest));
      const lost = (body.approval?.votes ?? []).filter((digest) => !here.has(digest)).length;
      return lost > 0 ? `${lost} of the votes that it names` : undefined;
    }
    case "approval.consumed":
      return before((b) => ofRequest(b, "approval.resolved", request) && b.approval?.state === "approved")
        ? undefined
        : "the approval that it consumes";
    default:
      return undefined;
  }
}

const neverRan = new Set(["not_executed", "cancelled"]);

function executionLacks(body: ReceiptBody, before: Before): string | undefined {
  if (neverRan.has(body.outcome?.status ?? ""))
    return before((b) => b.typ === "action.decision") ? undefined : "its decision";
  if (!before((b) => decided(b, "allow"))) return "a decision that allows it";
  const attempt = body.outcome?.attempt ?? 1;
  if (attempt > 1 && !before((b) => b.typ === "execution.finished" && b.outcome?.attempt === attempt - 1))
    return `attempt ${attempt - 1}`;
  return undefined;
}
