import { idPrefix } from "@oars/contract";
import { describe, expect, it } from "vitest";
import { idPrefixes } from "#platform/kernel";
import { buildOpenApi } from "./http.ts";
import { routes } from "./routes.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: unknown[];
  readonly parameters?: readonly { name: string; in: string }[];
  readonly responses: Record<string, unknown>;
}
type Paths = Record<string, Record<string, Operation>>;

const document = buildOpenApi("1.2.3");
const paths = document.paths as Paths; // made by openApiOf
const operations = Object.values(paths).flatMap((methods) => Object.values(methods));

describe("the OpenAPI document", () => {
  it("needs no server and describes every route once", () => {
    expect(document.openapi).toBe("3.1.0");
    expect(operations).toHaveLength(routes.length);
    expect(new Set(operations.map((o) => o.operationId)).size).toBe(routes.length);
  });

  it("is the same each time it is made", () => {
    expect(JSON.stringify(buildOpenApi("1.2.3"))).toBe(JSON.stringify(document));
  });

  it("has no reference that leads nowhere", () => {
    const text = JSON.stringify(document);
    const { schemas } = document.components as { schemas: Record<string, unknown> }; // made by openApiOf
    const names = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map((m) => m[1] ?? "");
    expect(names.length).toBeGreaterThan(50);
    for (const name of names) {
      expect(name).toMatch(/^#\/components\/schemas\//);
      expect(schemas).toHaveProperty([name.slice("#/components/schemas/".length)]);
    }
    expect(text).not.toContain("$defs");
  });

  it("declares every parameter of a path", () => {
    for (const [path, methods] of Object.entries(paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
      for (const operation of Object.values(methods)) {
        const declared = (operation.parameters ?? []).filter((p) => p.in === "path").map((p) => p.name);
        expect(declared, operation.operationId).toEqual(named);
      }
    }
  });

  it("shows problems on every route, and which routes are for everybody", () => {
    for (const operation of operations) expect(operation.responses).toHaveProperty("default");
    const open = operations.filter((o) => o.security?.length === 0).length;
    expect(open).toBe(routes.filter((r) => r.access === "anonymous").length);
  });
});

describe("the route table", () => {
  it("has one route for a method and path", () => {
    const keys = routes.map((r) => `${r.method} ${r.path.replaceAll(/:\w+/g, ":")}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("gives every route with an id an answer for ids that name nothing", () => {
    for (const r of routes) {
      if (r.path.includes(":") && r.method === "GET") expect(r.notFound, r.path).toMatch(/_NOT_FOUND$/);
    }
  });

  it("keeps answers under an Idempotency-Key on every POST and PATCH that changes something", () => {
    const without = routes
      .filter((r) => (r.method === "POST" || r.method === "PATCH") && r.idempotency === undefined)
      .map((r) => r.path);
    expect(without).toEqual([
      "/v1/auth/token", // a token more does no harm
      "/v1/secrets/import", // stores the same again
      "/v1/connections/:name/test", // changes nothing, there or here
      "/v1/connections/:name/authorize", // a consent that nobody ends is forgotten
      "/v1/oauth/callback", // its state serves once
      "/v1/policies/validate",
      "/v1/policies/simulate", // stores nothing
      "/v1/flows/validate",
      "/v1/approval-links/open", // reads
      "/v1/receipts/verify",
      "/witness/add-checkpoint", // says itself what it knows
      "/v1/privacy/exports", // reads, and a receipt more does no harm
      "/v1/evidence/exports/verify",
      "/v1/admin/compliance/coverage/scan",
      "/api/webhook/:slug", // has its webhook-id
    ]);
  });
});

it("ids have the same prefixes in the contract and in the kernel", () => {
  for (const [kind, prefix] of Object.entries(idPrefix)) expect(Reflect.get(idPrefixes, kind)).toBe(prefix);
});
