import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { publicKeyOf } from "@oars/receipts/node";
import { beforeAll, describe, expect, it } from "vitest";
import { WriteSet } from "#platform/db";
import { newId, systemClock } from "#platform/kernel";
import { createVault } from "#platform/vault";
import { useDatabase } from "#testing";
import { createReceipts, type ReceiptDraft, type Receipts } from "./index.ts";

describe("verification on request", () => {
  const db = useDatabase("pglite");
  const tenants = { own: newId(), other: newId() };
  let receipts: Receipts;
  const text: Record<"decision" | "finished" | "foreign" | "foreignFinished", string> = {
    decision: "",
    finished: "",
    foreign: "",
    foreignFinished: "",
  };
  const pemOf = async (tenantId: string): Promise<string> =>
    (await receipts.trust(tenantId)).items.find((item) => item.use === "receipt")?.publicKeyPem ?? "";

  const commit = async (draft: ReceiptDraft): Promise<string> => {
    const set = new WriteSet();
    const { receiptId } = await receipts.add(set, draft);
    await db().committer.commit(set);
    return receipts.sdJwt(draft.tenantId, receiptId, { disclose: false });
  };

  beforeAll(async () => {
    receipts = createReceipts({
      db: db(),
      vault: createVault({ db: db(), kek: new Uint8Array(32).fill(3) }),
      origin: "https://oars.example",
      clock: systemClock,
    });
    const action = { id: newId(), tool: "t" };
    const pair = (tenantId: string) =>
      [
        { tenantId, type: "action.decision", action, decision: { effect: "allow" } },
        { tenantId, type: "execution.finished", action, outcome: { status: "completed", attempt: 1 } },
      ] as const;
    [text.decision, text.finished] = [await commit(pair(tenants.own)[0]), await commit(pair(tenants.own)[1])];
    const foreign = pair(tenants.other);
    [text.foreign, text.foreignFinished] = [await commit(foreign[0]), await commit(foreign[1])];
  });

  it("[C42] accepts an own receipt with its chain and reports each check apart", async () => {
    const answer = await receipts.verifyRequest(tenants.own, {
      text: text.finished,
      chain: [text.decision, text.finished],
      keys: [{ publicKeyPem: await pemOf(tenants.own) }],
    });
    expect(answer).toMatchObject({
      verdict: "verified",
      isSignatureValid: true,
      isChainValid: true,
      isSchemaValid: true,
      verificationErrors: [],
      checks: { chain: { status: "ok" }, inclusion: { status: "absent" } },
    });
  });

  it("[W14] a receipt without a chain has an absent one, which is not a valid one", async () => {
    const answer = await receipts.verifyRequest(tenants.own, { text: text.finished });
    expect(answer).toMatchObject({ verdict: "verified", isChainValid: false });
    expect(answer.checks.chain.status).toBe("absent");
  });

  it("[W14] fails an unrelated chain, one with a receipt missing, and one with a junk signature", async () => {
    const chains = [
      [text.foreign, text.foreignFinished],
      [text.finished],
      [text.decision.replace(/.(?=.{20}~$)/, (c) => (c === "A" ? "B" : "A")), text.finished],
      ["junk", text.finished],
    ];
    for (const chain of chains) {
      const answer = await receipts.verifyRequest(tenants.own, { text: text.finished, chain });
      expect(answer.isChainValid).toBe(false);
      expect(answer.verdict).not.toBe("verified");
    }
  });

  it("[W13][C42] a supplied key never speaks for a tenant of this server, nor one tenant's key for another", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const { keyId } = publicKeyOf(privateKey);
    const publicKeyPem = createPublicKey(privateKey).export({ format: "pem", type: "spki" }).toString();
    const header = JSON.stringify({ alg: "Ed25519", kid: keyId, typ: "agent-receipt+sd-jwt" });
    const again = (payload: string): string => {
      const input = `${Buffer.from(header).toString("base64url")}.${payload}`;
      return `${input}.${sign(null, Buffer.from(input), privateKey).toString("base64url")}`;
    };
    const keys = [{ keyId, publicKeyPem }];
    for (const original of [text.finished, text.foreign]) {
      const answer = await receipts.verifyRequest(tenants.own, {
        text: again(original.split(".")[1] ?? ""),
        keys,
      });
      expect(answer).toMatchObject({ isSignatureValid: false });
      expect(answer.verdict).not.toBe("verified");
    }
    // An issuer that this server does not know: the caller vouches for the key.
    const payload = Buffer.from(text.finished.split(".")[1] ?? "", "base64url").toString();
    const elsewhere = payload.replace(/"iss":"[^"]+"/, `"iss":"https://elsewhere.example/t/x"`);
    const foreign = again(Buffer.from(elsewhere).toString("base64url"));
    expect((await receipts.verifyRequest(tenants.own, { text: foreign, keys })).isSignatureValid).toBe(true);
    expect((await receipts.verifyRequest(tenants.own, { text: foreign })).isSignatureValid).toBe(false);
    // The own tenant's key is not lent to that issuer.
    const lent = [{ publicKeyPem: await pemOf(tenants.own) }];
    const stolen = await receipts.verifyRequest(tenants.own, { text: foreign, keys: lent });
    expect(stolen.isSignatureValid).toBe(false);
    expect(stolen.verificationErrors.join()).toContain("belongs to");
  });

  it("[W13] another tenant's receipt is not the caller's, but can be verified with that tenant's published keys", async () => {
    const without = await receipts.verifyRequest(tenants.own, { text: text.foreign });
    expect(without.isSignatureValid).toBe(false);
    const trust = [await receipts.trust(tenants.other)];
    const shown = await receipts.verifyRequest(tenants.own, { text: text.foreign, trust });
    expect(shown).toMatchObject({ isSignatureValid: true, tenantId: trust[0]?.tenantId });
  });

  it("[W15] answers for anything, and tells only what is wrong with it", async () => {
    const bad = [
      "",
      "a.b.c",
      "....",
      "{}",
      `${text.finished}x`,
      "c2sp.org/tlog-proof@v1\n\n",
      "\u0000".repeat(50),
    ];
    for (const one of bad) {
      const answer = await receipts.verifyRequest(tenants.own, {
        text: one,
        chain: [one],
        keys: [{ publicKeyPem: "junk" }, { keyId: "x", publicKeyPem: await pemOf(tenants.own) }],
        trust: [{ tenantId: "x", issuer: "y", origin: "z", items: [{ jwk: null }] as never }],
      });
      expect(answer.verdict).not.toBe("verified");
      expect(answer.isSignatureValid || answer.isChainValid).toBe(false);
      expect(answer.verificationErrors.length).toBeGreaterThan(0);
      expect(answer.verificationErrors.join()).not.toMatch(/TypeError|undefined|node:|at \w+ \(/);
    }
  });
});
