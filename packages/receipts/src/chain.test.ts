import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ReceiptBody } from "./body.ts";
import { type ChainLink, verifyChain } from "./chain.ts";
import { createNodeCrypto, publicKeyOf, signReceipt } from "./node.ts";
import type { TrustDocument } from "./trust.ts";
import { createVerifier } from "./verify.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const { raw, keyId } = publicKeyOf(privateKey);
const issuer = "https://oars.example/t/x";
const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(raw).toString("base64url") } as const;
const trust = {
  tenantId: "ten_x",
  issuer,
  origin: "oars.example/log/x",
  items: [
    { keyId, tenantId: "ten_x", use: "receipt", status: "active", createdAt: "", rotatedAt: null, jwk },
  ],
} as unknown as TrustDocument; // without a PEM, which is optional to a verifier
const verifier = createVerifier([trust], createNodeCrypto());

const action = "act_01jdzx0000e01sz5ke6vs00001";
const request = "apr_01jdzx0000e01sz5ke6vs00001";
const contents = `sha256:${"a".repeat(64)}`;
let made = 0;

async function link(typ: ReceiptBody["typ"], more: Partial<ReceiptBody> = {}): Promise<ChainLink> {
  made += 1;
  const body = {
    v: 1,
    typ,
    rid: `rct_01jdzx0000e01sz5ke6vs${String(made).padStart(5, "0")}`,
    nonce: "AAAAAAAAAAAAAAAAAAAAAA",
    iss: issuer,
    log: trust.origin,
    ts: new Date(Date.UTC(2026, 10, 20) + made).toISOString(),
    action: { id: action, digest: contents },
    ...more,
  } as ReceiptBody;
  const signed = signReceipt(body, privateKey, keyId);
  return { report: await verifier.verify(signed.jws), digest: signed.digest };
}

/** Held, voted on, approved, consumed, allowed, performed in two attempts. */
async function whole(): Promise<ChainLink[]> {
  const approval = { request, state: "approved" } as const;
  const held = await link("action.decision", { decision: { effect: "require_approval" } });
  const asked = await link("approval.requested", { approval: { request, state: "pending" } });
  const vote = await link("approval.vote", { approval: { request, state: "pending", vote: "approve" } });
  const resolved = await link("approval.resolved", { approval: { ...approval, votes: [vote.digest] } });
  const consumed = await link("approval.consumed", { approval: { request, state: "consumed" } });
  const allowed = await link("action.decision", { decision: { effect: "allow" } });
  const first = await link("execution.finished", { outcome: { status: "timeout", attempt: 1 } });
  const second = await link("execution.finished", { outcome: { status: "completed", attempt: 2 } });
  return [held, asked, vote, resolved, consumed, allowed, first, second];
}
const at = (links: readonly ChainLink[], i: number): ChainLink => links[i] as ChainLink; // of the eight

describe("the chain of an action", () => {
  it("[C1] holds when nothing is missing, whatever the order it is handed over in", async () => {
    const links = await whole();
    for (const link of links) expect(verifyChain(link, links.toReversed()).status).toBe("ok");
    expect(verifyChain(at(links, 0), [])).toMatchObject({ status: "absent" });
  });

  it.each([
    [0, "the decision that asks for it"],
    [1, "the request that it answers"],
    [2, "1 of the votes that it names"],
    [3, "the approval that it consumes"],
    [5, "a decision that allows it"],
    [6, "attempt 1"],
  ])("[C2][C3][C4][C43] fails without receipt %i", async (missing, lacks) => {
    const links = await whole();
    const rest = links.filter((_, i) => i !== missing);
    const check = verifyChain(at(links, 7), rest);
    expect(check.status).toBe("failed");
    expect(check.detail).toContain(lacks);
  });

  it("[C1][W14] fails for a receipt that is not in it, and with one that is not genuine or of another action", async () => {
    const links = await whole();
    const stranger = await link("execution.finished", { outcome: { status: "completed" } });
    expect(verifyChain(stranger, links).status).toBe("failed");
    const other = await link("action.decision", {
      action: { id: "act_01jdzx0000e01sz5ke6vs00002", digest: contents },
      decision: { effect: "deny" },
    });
    expect(verifyChain(at(links, 0), [...links, other]).status).toBe("failed");
    const changed = await link("approval.vote", {
      action: { id: action, digest: `sha256:${"b".repeat(64)}` },
    });
    expect(verifyChain(at(links, 0), [...links, changed]).status).toBe("failed");
    const { report, digest } = at(links, 2);
    const forged = { report: { ...report, verdict: "tampered" as const }, digest };
    expect(verifyChain(at(links, 0), [...links.filter((_, i) => i !== 2), forged]).status).toBe("failed");
    const unknown = { report: { ...report, verdict: "undecidable" as const }, digest };
    expect(verifyChain(at(links, 0), [unknown, at(links, 0)]).status).toBe("undecidable");
  });

  it("[C5] fails when the outcome stands in the log before the decision that allows it", async () => {
    const allowed = await link("action.decision", { decision: { effect: "allow" } });
    const finished = await link("execution.finished", { outcome: { status: "completed", attempt: 1 } });
    const placed = (l: ChainLink, leafIndex: number): ChainLink => ({
      ...l,
      report: { ...l.report, leafIndex },
    });
    const good = [placed(allowed, 4), placed(finished, 9)];
    expect(verifyChain(at(good, 0), good).status).toBe("ok");
    const bad = [placed(allowed, 9), placed(finished, 4)];
    expect(verifyChain(at(bad, 0), bad).status).toBe("failed");
  });
});
