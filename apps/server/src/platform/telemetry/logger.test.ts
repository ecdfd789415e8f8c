import { describe, expect, it } from "vitest";
import { createLogger, logWith } from "./logger.ts";
import { isSecretName } from "./mask.ts";

function logged(): { lines: string[]; log: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  return {
    lines,
    log: createLogger({ level: "info", name: "oars", to: { write: (line) => lines.push(line) } }),
  };
}

const last = (lines: string[]): Record<string, unknown> => JSON.parse(lines.at(-1) ?? "{}");

const key = "oars_live_8f7e6d5c4b3a29180716";
const jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLW9mLWFubg";

describe("log lines", () => {
  it("are JSON with time, level, name and the context of their child loggers", () => {
    const { lines, log } = logged();
    logWith(log, { requestId: "req_1", tenantId: "ten_1", runId: "run_1", step: "ship" }).info(
      { ms: 3 },
      "step done",
    );
    expect(lines[0]?.endsWith("\n")).toBe(true);
    expect(last(lines)).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      name: "oars",
      requestId: "req_1",
      tenantId: "ten_1",
      runId: "run_1",
      step: "ship",
      ms: 3,
      msg: "step done",
    });
  });

  it("below the level are not written", () => {
    const { lines, log } = logged();
    log.debug("quiet");
    expect(lines).toEqual([]);
  });

  it.each([
    "authorization",
    "Authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "apiKey",
    "webhook-signature",
    "password",
    "db_password",
    "secret",
    "clientSecret",
    "token",
    "refresh_token",
    "key",
    "kek",
    "OARS_VAULT_KEK",
    "jwt",
    "privateKey",
  ])("a value under %s is masked at every depth", (name) => {
    const { lines, log } = logged();
    const value = "correct horse";
    log.info(
      { [name]: value, a: { [name]: value, b: [{ c: { d: { e: { [name]: [value, { x: value }] } } } }] } },
      "m",
    );
    expect(lines.join("")).not.toContain(value);
    expect(last(lines)).toMatchObject({ [name]: "[masked]", a: { [name]: "[masked]" }, msg: "m" });
  });

  it("a value under a secret's name is masked in the fields of a child logger too", () => {
    const { lines, log } = logged();
    log.child({ headers: { authorization: "correct horse" } }).info("m");
    expect(lines.join("")).not.toContain("correct horse");
  });

  it.each([
    ["API key", `bad key ${key}`, key],
    ["JWT", `token ${jwt} expired`, jwt],
    ["SD-JWT with disclosures", `got ${jwt}~WyJzYWx0Il0~WyJ4Il0~`, "WyJzYWx0Il0"],
    ["bearer header", "sent Authorization: Bearer abc.def-123", "abc.def-123"],
    ["basic header", "sent Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"],
    ["connection string", "cannot reach postgres://oars:hunter2@db:5432/oars", "hunter2"],
    ["query parameter", "GET /x?access_token=abcdefgh&y=1", "abcdefgh"],
    ["JSON in text", 'body {"password":"hunter2","a":1}', "hunter2"],
    ["private key", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----", "MC4CAQAw"],
  ])(
    "text with the shape of a credential is masked in messages, fields, errors and child fields: %s",
    (...[, text, secret]) => {
      const { lines, log } = logged();
      log.info(text);
      log.info({ note: { list: [text] } }, "m");
      log.error(new Error(text, { cause: new Error(text) }));
      log.child({ note: text }).warn("m");
      expect(lines).toHaveLength(4);
      expect(lines.join("")).not.toContain(secret);
      for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
    },
  );

  it("what is no secret stays readable", () => {
    const { lines, log } = logged();
    const fields = {
      keyId: "k1",
      idempotencyKeys: 2,
      inputTokens: 120,
      secret: true,
      token: null,
      url: "https://api.example.com/orders?page=2",
      monkey: "banana",
      author: "ann",
    };
    log.info(fields, "read the basic rules: 3 tokens left");
    expect(last(lines)).toMatchObject({ ...fields, msg: "read the basic rules: 3 tokens left" });
    expect(["publicKeyId", "tokenizer", "keyboard", "cookieless"].filter(isSecretName)).toEqual([]);
  });

  it("an error keeps its type, message and stack", () => {
    const { lines, log } = logged();
    log.error({ err: new RangeError("too far") }, "failed");
    expect(last(lines)).toMatchObject({
      level: "error",
      msg: "failed",
      err: { type: "RangeError", message: "too far", stack: expect.stringContaining("too far") },
    });
  });

  it("a line too deep to mask is left out rather than written", () => {
    const { lines, log } = logged();
    let deep: unknown = { password: "correct horse" };
    for (let i = 0; i < 20_000; i++) deep = [deep];
    log.info({ deep, secret: "correct horse" }, "m");
    expect(lines).toHaveLength(1);
    expect(lines.join("")).not.toContain("correct horse");
  });
});
