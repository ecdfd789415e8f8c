import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { errorCodes } from "./error-codes.ts";
import * as sdk from "./index.ts";

const folder = new URL("./", import.meta.url);
const sources = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
const textOf = (name: string): string => readFileSync(new URL(name, folder), "utf8");

describe("a browser", () => {
  it("has files to load", () => expect(sources.length).toBeGreaterThan(20));

  it.each(sources)("can load %s: it imports nothing of Node", (name) => {
    const imported = [...textOf(name).matchAll(/(?:from|import) "([^"]+)"/g)].map((found) => found[1] ?? "");
    for (const target of imported) expect(target).toMatch(/^(\.\/[a-z-]+\.ts|@oars\/(contract|receipts))$/);
    expect(textOf(name)).not.toMatch(/\b(Buffer|process|require|__dirname)\b[.(]/);
  });

  it.each(sources)("%s takes only types from the contract, so no schema library is loaded", (name) => {
    const statements = textOf(name).matchAll(/^(?:import|export) [^;]*? from "@oars\/contract";$/gm);
    for (const [statement] of statements) expect(statement).toMatch(/^(import|export) type /);
  });
});

describe("the exports", () => {
  it("are these values", () => {
    expect(Object.keys(sdk).sort()).toMatchInlineSnapshot(`
      [
        "OarsApiError",
        "OarsClientError",
        "createClient",
        "errorCodes",
        "hasEnded",
        "signWebhook",
        "verifyOffline",
      ]
    `);
  });

  it("are these resources and calls", () => {
    const client = sdk.createClient({ baseUrl: "http://127.0.0.1" });
    const calls = Object.entries(client).map(([noun, verbs]) => `${noun}: ${Object.keys(verbs).join(" ")}`);
    expect(calls).toMatchInlineSnapshot(`
      [
        "me: get issueToken",
        "principals: create list get issueKey listKeys revokeKey",
        "secrets: put list import uses delete",
        "connections: put list get delete versions authorize finish test egress setEgress connectors",
        "tools: list get classify review allowance allow",
        "policies: validate create list get publish rollback diff schema simulate explain importRules startReplay listReplays getReplay waitReplay settings setSettings setShadow differences grant listGrants revokeGrant",
        "flows: schema validate publish list get",
        "runs: start get status replayContext list items retry skip editOutput abort pause resume rerun replay bulk signal signals payload events eventList wait",
        "gates: list get answer",
        "actions: submit submitAndWait get timeline list cancel release reject resolve wait",
        "approvals: list get decide challenge breakGlass review comment comments link openLink escalate",
        "approvalWorkflows: list get put versions retire settings setSettings",
        "delegations: create list revoke",
        "factors: list enrol confirm revoke challenge recoveryCodes reset",
        "receipts: list get export replay proof exportRun verify",
        "privacy: holds placeHold releaseHold retention setRetention erasures erasure erase export",
        "trust: keys checkpoint",
        "log: checkpoint status inclusion consistency witness instance checkpointOf",
        "evidence: export list get wait download verify schedules schedule unschedule",
        "compliance: frameworks mappings map coverage",
        "keys: list rotate revoke",
        "securityEvents: list get",
        "delivery: targets put get delete test pause resume status flush deadLetters replay resolve",
        "alerts: list get acknowledge resolve routes setRoute rules putRule deleteRule",
        "webhooks: list",
        "health: live ready",
        "system: jobs runJob",
        "scheduling: get set",
      ]
    `);
  });

  it("are these types, besides those of the contract", () => {
    const names = [...textOf("index.ts").matchAll(/\{([^}]*)\}/g)].flatMap(([whole, list = ""]) => {
      const all = textOf("index.ts").includes(`export type ${whole}`);
      return list
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "" && (all || part.startsWith("type ")))
        .map((part) => part.replace(/^type /, ""));
    });
    expect(names.sort()).toMatchInlineSnapshot(`
      [
        "ActionCommandOptions",
        "ActionFilter",
        "ApiErrorCode",
        "ApiErrorInit",
        "ApprovalFilter",
        "CallOptions",
        "ClientErrorCode",
        "ClientOptions",
        "ErrorCode",
        "FlowText",
        "FollowOptions",
        "ListQuery",
        "Listing",
        "OarsClient",
        "ReceiptReport",
        "RunCommandOptions",
        "RunStartOptions",
        "RunWaitOptions",
        "SubmitOptions",
        "ToolChangeOptions",
        "ToolFilter",
        "VersionOptions",
        "WaitOptions",
      ]
    `);
  });
});

it("the error codes are those of the reference", () => {
  const reference = readFileSync(new URL("../../../docs/reference/errors.md", import.meta.url), "utf8");
  const codes = [...reference.matchAll(/^\| `([A-Z_]+)`/gm)].map((found) => found[1]);
  expect(codes.length).toBeGreaterThan(50);
  expect([...errorCodes]).toEqual(codes);
});
