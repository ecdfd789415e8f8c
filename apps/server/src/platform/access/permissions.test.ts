import { describe, expect, it } from "vitest";
import {
  type Caller,
  checkPrincipalName,
  checkTitle,
  requireGrantable,
  toCaller,
  toTenantId,
} from "./domain.ts";
import { permissionNames, permissions, permissionsOf, permissionsOfAll, roleNames } from "./permissions.ts";

const callerWith = (...roles: string[]): Caller =>
  toCaller(
    { tenantId: "t", id: "p", kind: "user", name: "n", ownerId: null, roles },
    { kind: "internal", id: "p" },
  );

describe("roles", () => {
  it("every permission is held by somebody and every role holds something", () => {
    for (const p of permissionNames) expect(permissions[p].roles.length, p).toBeGreaterThan(0);
    for (const r of roleNames) expect(permissionsOf(r).size, r).toBeGreaterThan(0);
  });

  it("a platform administrator holds all, an administrator all but operating the platform", () => {
    const missing = (role: string): string[] => permissionNames.filter((p) => !permissionsOf(role).has(p));
    expect(missing("platform_admin")).toEqual([]);
    expect(missing("admin")).toEqual(["platform:operate"]);
  });

  it("an auditor reads, verifies and takes evidence away, and changes nothing", () => {
    for (const p of permissionsOf("auditor")) expect(p).toMatch(/:(read|verify|export|disclose)$/);
  });

  it.each(["agent", "service", "member"])(
    "%s neither decides approvals nor touches policies, secrets or access",
    (role) => {
      for (const p of permissionsOf(role)) {
        expect(p).not.toMatch(
          /^(approvals:decide|policies:(write|publish)|secrets:|access:|runs:operate|flows:publish)/,
        );
      }
    },
  );

  it("only administrators give access, and builders do not put policies in force", () => {
    expect(permissions["access:write"].roles).toEqual(["platform_admin", "admin"]);
    expect(permissionsOf("consultant").has("policies:publish")).toBe(false);
    expect(permissionsOf("consultant").has("approvals:decide")).toBe(false);
  });

  it("a name that is no role holds nothing", () => {
    expect(permissionsOf("constructor").size).toBe(0);
    expect([...permissionsOfAll(["agent", "no-such-role"])]).toEqual([...permissionsOf("agent")]);
  });
});

describe("granting", () => {
  it.each(roleNames.flatMap((from) => roleNames.map((to) => [from, to] as const)))(
    "%s grants %s only when it holds as much",
    (from, to) => {
      const covers = [...permissionsOf(to)].every((p) => permissionsOf(from).has(p));
      const grant = (): void => requireGrantable(callerWith(from), [to]);
      if (covers) expect(grant).not.toThrow();
      else expect(grant).toThrow(expect.objectContaining({ code: "AUTH_FORBIDDEN" }));
    },
  );

  it("an administrator cannot make a platform administrator, and nobody an unknown role", () => {
    expect(() => requireGrantable(callerWith("admin"), ["platform_admin"])).toThrow(
      expect.objectContaining({ params: { permission: "platform:operate" } }),
    );
    expect(() => requireGrantable(callerWith("platform_admin"), ["root"])).toThrow(
      expect.objectContaining({ code: "ROLE_UNKNOWN" }),
    );
  });
});

describe("names", () => {
  it.each(["", "-a", "a b", "a/b", "ä", "a".repeat(101), "a\n"])("refuses %j for a principal", (name) => {
    expect(() => checkPrincipalName(name)).toThrow(expect.objectContaining({ code: "REQUEST_INVALID" }));
  });

  it("takes titles for people as they are, without control characters", () => {
    expect(() => checkTitle("Łódź — north")).not.toThrow();
    for (const bad of ["", "  ", "a\u0000b", "x".repeat(101)]) expect(() => checkTitle(bad)).toThrow();
  });

  it("reads a tenant header as TypeID or UUID", () => {
    const uuid = "0190b5a4-7c1e-7abc-8def-0123456789ab";
    expect(toTenantId(` ${uuid.toUpperCase()} `)).toBe(uuid);
    expect(toTenantId("ten_01j2tt8z0yfay8vvr14d2pf2db")).toMatch(/^0190b5a4/);
    expect(toTenantId("acme")).toBeUndefined();
  });
});
