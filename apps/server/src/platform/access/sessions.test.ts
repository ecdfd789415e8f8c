import { SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { newId } from "#platform/kernel";
import { isKeyOf, makeApiKey, prefixOf } from "./api-key.ts";
import { createSessions } from "./sessions.ts";

const jwtSecret = "a-secret-of-more-than-thirty-two-characters";
const start = Date.parse("2026-03-01T12:00:00Z");
const who = { tenantId: newId(), principalId: newId(), keyId: newId() };

function setup(secret = jwtSecret) {
  let now = start;
  const sessions = createSessions({ jwtSecret: secret, clock: { now: () => new Date(now) } });
  return {
    sessions,
    wait: (ms: number): void => {
      now += ms;
    },
  };
}

const claims = { tid: who.tenantId, sub: who.principalId, jti: newId(), iss: "oars", aud: "oars-api" };
const times = { iat: start / 1000, exp: start / 1000 + 60 };
const good = { alg: "HS256", typ: "oars-session+jwt" };
const sign = (payload: Record<string, unknown>, header: { alg: string; typ?: string }, secret = jwtSecret) =>
  new SignJWT(payload).setProtectedHeader(header).sign(Buffer.from(secret));

describe("session tokens", () => {
  it("say who for one hour", async () => {
    const { sessions, wait } = setup();
    const { token, expiresAt } = await sessions.issue(who);
    expect(expiresAt.getTime()).toBe(start + 3_600_000);
    expect(await sessions.read(token)).toMatchObject(who);
    wait(3_599_000);
    expect(await sessions.read(token)).toMatchObject(who);
    wait(1000);
    await expect(sessions.read(token)).rejects.toMatchObject({ code: "AUTH_TOKEN_EXPIRED" });
  });

  it("the hand-made token that the refusals below vary is itself accepted", async () => {
    expect(await setup().sessions.read(await sign({ ...claims, ...times }, good))).toMatchObject({
      keyId: null,
    });
  });

  it.each([
    [
      "another secret",
      () => sign({ ...claims, ...times }, good, "another-secret-of-more-than-32-characters!"),
    ],
    [
      "another algorithm",
      () => sign({ ...claims, ...times }, { ...good, alg: "HS512" }, jwtSecret.repeat(2)),
    ],
    ["no algorithm", () => new UnsecuredJWT({ ...claims, ...times }).encode()],
    ["another type", () => sign({ ...claims, ...times }, { ...good, typ: "JWT" })],
    ["no type", () => sign({ ...claims, ...times }, { alg: "HS256" })],
    ["another issuer", () => sign({ ...claims, ...times, iss: "elsewhere" }, good)],
    ["another audience", () => sign({ ...claims, ...times, aud: "elsewhere" }, good)],
    ["no expiry", () => sign({ ...claims, iat: times.iat }, good)],
    ["no tenant", () => sign({ ...claims, ...times, tid: undefined }, good)],
    ["a tenant that is no id", () => sign({ ...claims, ...times, tid: "*" }, good)],
    ["a key that is no id", () => sign({ ...claims, ...times, key: 7 }, good)],
    ["a start in the future", () => sign({ ...claims, ...times, nbf: times.iat + 30 }, good)],
    ["nonsense", () => "a.b.c"],
  ])("are refused with %s", async (_what, make) => {
    await expect(setup().sessions.read(await make())).rejects.toMatchObject({ code: "AUTH_TOKEN_INVALID" });
  });

  it("are refused when one character of the signed part differs", async () => {
    const { sessions } = setup();
    const { token } = await sessions.issue(who);
    for (let i = 0; i < token.lastIndexOf("."); i += 7) {
      const bent = token.slice(0, i) + (token[i] === "A" ? "B" : "A") + token.slice(i + 1);
      await expect(sessions.read(bent)).rejects.toMatchObject({ code: "AUTH_TOKEN_INVALID" });
    }
  });

  it("need a secret of 32 characters", () => {
    expect(() => setup("short")).toThrow(RangeError);
  });
});

describe("API keys", () => {
  it("have a form of their own, a new prefix each, and are proven by their hash", () => {
    const [a, b] = [makeApiKey(), makeApiKey()];
    expect(a.key).toMatch(/^oars_[a-z2-7]{12}_[A-Za-z0-9_-]{43}$/);
    expect(prefixOf(a.key)).toBe(a.prefix);
    expect(a.prefix).not.toBe(b.prefix);
    expect(isKeyOf(a.key, a.hash)).toBe(true);
    expect(isKeyOf(`oars_${a.prefix}_${b.key.slice(-43)}`, a.hash)).toBe(false);
  });

  it.each(["oars_", "oars_abcdefghijkl_short", "OARS_abcdefghijkl_".padEnd(61, "a"), ""])(
    "%j has no prefix",
    (text) => {
      expect(prefixOf(text)).toBeUndefined();
    },
  );
});
