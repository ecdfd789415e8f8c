/** Decisions of a real server, exported and made again by the offline verifier in a process of its own. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as cedarEngine from "@cedar-policy/cedar-wasm/nodejs";
import { type CedarPort, parseReplay, replay, type TrustDocument, verifyReceipt } from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatId } from "#platform/kernel";
import { startTestApi, type TestApi } from "./testing/api.ts";
import { until } from "./testing/until.ts";

const packageFolder = fileURLToPath(new URL("../../../packages/receipts", import.meta.url));
const tool = "bank/http.request";
const when = (condition: string) => `when { context.args has amount && ${condition} }`;
const cedar = `@id("may") permit (principal in ?principal, action, resource == ?resource);
@id("agents") permit (principal is Oars::Agent, action, resource);
@id("never") forbid (principal, action, resource) ${when("context.args.amount == 13")};
@id("held") @require_approval("approver:1, admin:1") @ttl("PT1H")
forbid (principal, action, resource) ${when("context.args.amount > 100")} unless { context.approvals.count >= 2 };
@id("odd") @quarantine forbid (principal, action, resource) ${when("context.args.amount == 7")};
@id("few") forbid (principal, action, resource) when { context.counters.calls >= 100 };`;

interface Ran {
  readonly exit: number;
  readonly out: string;
}

describe("a replay", () => {
  let api: TestApi;
  let folder: string;
  const keys: Record<string, string> = {};
  const ids: Record<string, string> = {};

  const ok = async (...of: Parameters<TestApi["ask"]>) => {
    const answer = await api.ask(...of);
    expect(answer.status, answer.text).toBeLessThan(300);
    return answer.json;
  };
  const path = (name: string) => join(folder, name);

  beforeAll(async () => {
    api = await startTestApi("pglite");
    folder = await mkdtemp(join(tmpdir(), "oars-replay-"));
    const { app } = api;
    const facts = [{ name: "amount", type: "long", path: "body.amount" }];
    const config = { baseUrl: "https://bank.example.com", facts };
    const connection = { connector: "http", config, environment: "test", risk: 10, emulate: true };
    await ok("PUT", "/v1/connections/:name", connection, { name: "bank" });
    const counters = [{ name: "calls", window: "PT1H", per: ["principal"] }];
    const groups = { toolGroups: { money: ["bank/*"] } };
    const { id } = await ok("POST", "/v1/policies", { cedar, counters, entities: groups });
    await ok("POST", "/v1/policies/:id/publish", {}, { id });
    await ok("POST", "/v1/policies/grants", {
      template: "may",
      principal: { role: "member" },
      resource: { tool },
    });
    for (const [name, role] of [
      ["mia", "member"],
      ["ana", "approver"],
      ["adi", "admin"],
      ["eve", "auditor"],
    ] as const) {
      const who = await app.caller(name, [role]);
      ids[name] = formatId("principal", who.principalId);
      keys[name] = (await app.access.issueKey(app.admin, who.principalId)).key;
    }
    const trust = await fetch(`${api.base}/v1/trust/tenants/${(await ok("GET", "/v1/me")).tenantId}/keys`);
    await writeFile(path("keys.json"), await trust.text());
  });
  afterAll(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });

  const pay = (amount: number, key = keys.mia ?? "") => {
    const input = { method: "POST", path: "/payments", body: { amount } };
    return ok("POST", "/v1/actions", { connection: "bank", operation: "http.request", input }, { key });
  };
  const decisionsOf = async (action: string): Promise<string[]> => {
    await api.app.log.sequenceNow(api.app.admin.tenantId);
    const { items } = await ok("GET", `/v1/receipts?type=action.decision&action=${action}`);
    return items.map(({ id }: { id: string }) => id).reverse(); // oldest first
  };
  const exported = (id: string) => ok("GET", "/v1/receipts/:id?format=replay", undefined, { id });
  const run = (file: string, verifier = packageFolder): Promise<Ran> =>
    new Promise((resolve) => {
      const program = join(verifier, "bin/oars-verify.mjs");
      const args = [program, "--keys", path("keys.json"), "--json", "--replay", file];
      execFile(process.execPath, args, (error, stdout, stderr) =>
        resolve({ exit: error === null ? 0 : Number(error.code), out: stdout + stderr }),
      );
    });
  const rerun = async (content: unknown, verifier?: string): Promise<Ran> => {
    const file = path("replay.json");
    await writeFile(file, JSON.stringify(content));
    return run(file, verifier);
  };
  const agrees = async (receipt: string | undefined, effect: string, reasons: readonly unknown[]) => {
    const { exit, out } = await rerun(await exported(receipt ?? ""));
    expect(exit, out).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      receipt: { verdict: "verified" },
      replay: { replayed: { effect, reasons } },
    });
  };

  /** The same without a process of its own. */
  const here = async (content: { readonly receipt: string }) => {
    const trust = JSON.parse(await readFile(path("keys.json"), "utf8")) as TrustDocument; // the server's answer
    const report = await verifyReceipt(content.receipt, [trust], createNodeCrypto());
    return replay(parseReplay(JSON.stringify(content)), report, cedarEngine as unknown as CedarPort); // what is used of it
  };

  it("agrees with an allowance by a grant, with a denial, and with both links of a chain", async () => {
    const [allowed] = await decisionsOf((await pay(1)).id);
    await agrees(allowed, "allow", [expect.stringMatching(/^may@gnt_/)]);
    const [denied] = await decisionsOf((await pay(13)).id);
    await agrees(denied, "deny", ["never"]);
    const agent = await ok("POST", "/v1/principals", {
      kind: "agent",
      name: "bot",
      roles: ["member"],
      ownerId: ids.eve,
    });
    const { key } = await ok("POST", "/v1/principals/:id/keys", { name: "k" }, { id: agent.id });
    const [narrower] = await decisionsOf((await pay(2, key)).id);
    const chain = await exported(narrower ?? "");
    expect(chain.entities).toHaveLength(3);
    expect(await here(chain)).toMatchObject({ exitCode: 0, replayed: { effect: "deny", reasons: [] } });
    expect((await here({ ...chain, entities: chain.entities.slice(0, 2) })).exitCode).toBe(1);
  });

  it("agrees with what was held before the votes and allowed after them, with the policy of that day", async () => {
    const held = await pay(500);
    expect(held.state).toBe("pending_approval");
    const [before] = await decisionsOf(held.id);
    const { id } = await ok("POST", "/v1/policies", {
      cedar: `@id("none") forbid (principal, action, resource);`,
    });
    const vote = { decision: "approve", reason: "seen" };
    for (const who of ["ana", "adi"])
      await ok("POST", "/v1/approvals/:id/decision", vote, { id: held.approvalId, key: keys[who] ?? "" });
    await until("the end", async () => {
      const { state } = await ok("GET", "/v1/actions/:id", undefined, { id: held.id });
      return state === "completed";
    });
    const first = (await ok("GET", "/v1/policies?limit=2")).items[1].id;
    await ok("POST", "/v1/policies/:id/publish", {}, { id }); // another policy decides by now
    const [again, after] = await decisionsOf(held.id);
    expect(again).toBe(before);
    await agrees(before, "require_approval", ["held"]);
    expect(await here(await exported(after ?? ""))).toMatchObject({
      exitCode: 0,
      replayed: { effect: "allow" },
    });
    expect((await exported(after ?? "")).context.approvals).toMatchObject({ count: 2 });
    await ok("POST", "/v1/policies/:id/publish", {}, { id: first });
  });

  it("agrees with a quarantine, and with the release from it", async () => {
    const odd = await pay(7);
    expect(odd.state).toBe("quarantined");
    await ok("POST", "/v1/actions/:id/release", { reason: "looked at" }, { id: odd.id });
    await until("the end", async () => {
      const { state } = await ok("GET", "/v1/actions/:id", undefined, { id: odd.id });
      return state === "completed";
    });
    const [before, after] = await decisionsOf(odd.id);
    await agrees(before, "quarantine", ["odd"]);
    const release = await exported(after ?? "");
    expect(await here(release)).toMatchObject({ exitCode: 0, replayed: { effect: "allow" } });
    const unreleased = { ...release, policy: { ...release.policy, released: false } };
    expect(await here(unreleased)).toMatchObject({ exitCode: 1, replayed: { effect: "quarantine" } });
  });

  it("proves that a policy text, a value of the context or a guard is not what decided", async () => {
    const [receipt] = await decisionsOf((await pay(13)).id);
    const file = await exported(receipt ?? "");
    const { policy, context } = file;
    const cedarOf = (text: string) => ({ ...policy, source: { ...policy.source, cedar: text } });
    const text = await rerun({ ...file, policy: cedarOf(policy.source.cedar.replace("== 13", "== 14")) });
    expect(text.exit, text.out).toBe(1);
    expect(JSON.parse(text.out).replay.checks.bundle.status).toBe("failed");
    const value = await rerun({ ...file, context: { ...context, args: { amount: 12 } } });
    expect(value.exit, value.out).toBe(1);
    expect(JSON.parse(value.out).replay.checks.context.status).toBe("failed");
    const guards = { ...policy.guards, "guard-unknown-tool": `permit (principal, action, resource);` };
    expect(await here({ ...file, policy: { ...policy, guards } })).toMatchObject({ exitCode: 2 });
    for (const name of ["policy", "entities", "context"])
      expect(await here({ ...file, [name]: undefined }), name).toMatchObject({ exitCode: 2 });
    const granted = await exported((await decisionsOf((await pay(4)).id))[0] ?? "");
    const without = { ...granted, policy: { ...granted.policy, grants: [] } };
    expect(await here(without)).toMatchObject({ exitCode: 1, replayed: { effect: "deny", reasons: [] } });
  });

  it("cannot decide without Cedar, and says what to install", async () => {
    const alone = path("alone");
    await cp(join(packageFolder, "src"), join(alone, "src"), { recursive: true });
    await cp(join(packageFolder, "bin"), join(alone, "bin"), { recursive: true });
    await cp(join(packageFolder, "package.json"), join(alone, "package.json"));
    const [receipt] = await decisionsOf((await pay(13)).id);
    const { exit, out } = await rerun(await exported(receipt ?? ""), alone);
    expect(exit, out).toBe(2);
    expect(out).toContain("npm install @cedar-policy/cedar-wasm");
    expect(JSON.parse(out).replay.checks.bundle.status).toBe("ok");
  });

  it("is for who may see what was withheld, and says when there is nothing to replay or it is erased", async () => {
    const { id } = await pay(3);
    const [receipt = ""] = await decisionsOf(id);
    const ask = (of: string, key = "") =>
      api.ask("GET", "/v1/receipts/:id?format=replay", undefined, { id: of, ...(key ? { key } : {}) });
    expect((await ask(receipt, keys.mia)).status).toBe(403);
    const { items } = await ok("GET", "/v1/receipts?type=policy.published");
    expect((await ask(items[0].id)).json).toMatchObject({ status: 409, code: "RECEIPT_NOT_REPLAYABLE" });
    await ok("POST", "/v1/privacy/erasures", { subject: ids.mia });
    expect((await ask(receipt)).json).toMatchObject({ status: 410, code: "RECEIPT_ERASED" });
  });
});
