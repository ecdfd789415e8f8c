import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FieldProblem, formatId, isOarsError } from "#platform/kernel";
import { type Environment, loadConfig } from "./load.ts";
import { variables } from "./variables.ts";

const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7)).toString("base64");
const jwt = "kept-apart-from-everything-else-0123456789";
const production = {
  OARS_ENV: "production",
  OARS_DATA_ENCRYPTION_KEY: key,
  OARS_JWT_SECRET: jwt,
  OARS_PUBLIC_URL: "https://oars.example.com/",
};

function problemsOf(env: Environment): readonly FieldProblem[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (isOarsError(error) && error.code === "CONFIG_INVALID") return error.errors;
    throw error;
  }
  return [];
}

const named = (env: Environment): string[] => problemsOf(env).map((p) => `${p.path} ${p.code}`);

const tenantId = "01890a5d-ac96-774b-bcce-b302099a8057";

describe("loadConfig", () => {
  it("needs nothing in development and stays on this machine", () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      env: "development",
      http: { host: "127.0.0.1", port: 8080, publicUrl: "http://127.0.0.1:8080", bodyLimit: 1_048_576 },
      store: { kind: "pglite", dataDir: ".oars" },
      keys: { dataEncryption: null, jwt: null },
      logOrigin: "127.0.0.1:8080",
      keyRotateDays: 90,
      signer: { kind: "software", transit: null },
      witnesses: [],
      witnessQuorum: 0,
      witnessLogs: [],
      logPublic: true,
      egressAllow: [],
      egressHosts: [],
      allowedTools: [],
      policyReplayRequired: false,
      signedRuns: "governed",
      warnings: [],
    });
  });

  it("reads seed names as aliases of the same settings", () => {
    const config = loadConfig({
      PORT: "9000",
      LOG_LEVEL: "debug",
      CALIBER_CORS_ORIGINS: "https://a.example.com, https://b.example.com:8443",
      CALIBER_RATE_LIMIT_ENABLED: "1",
      WAF_RATE_LIMIT_WINDOW_MS: "5000",
      WAF_RATE_LIMIT_MAX_REQUESTS: "30",
      ORCHESTRATION_MAX_CONCURRENCY: "12",
      ORCHESTRATION_DEFAULT_MAX_PARALLEL: "3",
      CALIBER_JWT_SECRET: jwt,
      OARS_STORE: "postgres",
      DATABASE_URL: "postgres://u:p@db/oars",
    });
    expect(config.http).toMatchObject({
      port: 9000,
      corsOrigins: ["https://a.example.com", "https://b.example.com:8443"],
      rateLimit: { enabled: true, windowMs: 5000, max: 30 },
    });
    expect(config.limits).toMatchObject({ maxConcurrency: 1000, maxRunning: 12, defaultMaxParallel: 3 });
    expect(config.keys.jwt?.reveal()).toBe(jwt);
    expect(config.store.kind === "postgres" && config.store.url.reveal()).toBe("postgres://u:p@db/oars");
    expect(config.logLevel).toBe("debug");
  });

  it("[check 5] limits the steps of a run to the lesser of its default and the cap over all runs", () => {
    const effective = (env: Record<string, string>) => loadConfig(env).limits.defaultMaxParallel;
    expect(effective({})).toBe(4);
    expect(effective({ ORCHESTRATION_DEFAULT_MAX_PARALLEL: "6" })).toBe(6);
    expect(effective({ ORCHESTRATION_DEFAULT_MAX_PARALLEL: "4", ORCHESTRATION_MAX_CONCURRENCY: "2" })).toBe(
      2,
    );
    expect(effective({ ORCHESTRATION_MAX_CONCURRENCY: "1" })).toBe(1);
    expect(() => effective({ ORCHESTRATION_DEFAULT_MAX_PARALLEL: "abc" })).toThrow(
      /whole number from 1 to 1000/,
    );
    expect(() => effective({ ORCHESTRATION_MAX_CONCURRENCY: "0" })).toThrow(/ORCHESTRATION_MAX_CONCURRENCY/);
  });

  it("reports every problem at once, each with what to set", () => {
    const problems = problemsOf({
      OARS_PORT: "http",
      OARS_STORE: "mysql",
      OARS_EGRESS_ALLOW: "10.0.0.0/8,nowhere",
      OARS_RATE_LIMT_MAX: "5",
      OARS_JWT_SECRET: "short",
    });
    expect(problems.map((p) => p.path).sort()).toEqual([
      "OARS_EGRESS_ALLOW",
      "OARS_JWT_SECRET",
      "OARS_PORT",
      "OARS_RATE_LIMT_MAX",
      "OARS_STORE",
    ]);
    for (const p of problems) expect(p.message).toMatch(/set |did you mean/);
    expect(() => loadConfig({ OARS_PORT: "http", OARS_STORE: "mysql" })).toThrow(/OARS_PORT.*\n.*OARS_STORE/);
  });

  it("names the variable that a misspelt one was meant to be", () => {
    const [problem] = problemsOf({ OARS_PUBLIC_ULR: "https://x.example.com" });
    expect(problem?.message).toContain("OARS_PUBLIC_URL");
    expect(named({ OARS_ZZZZZZZZZZZZ: "1" })).toEqual(["OARS_ZZZZZZZZZZZZ unknown"]);
  });

  it("leaves names of the command line, the benchmarks and Kubernetes alone", () => {
    expect(
      named({
        OARS_URL: "http://x",
        OARS_API_KEY: "k",
        OARS_BENCH_RUNS: "3",
        OARS_SERVICE_HOST: "10.0.0.1",
        OARS_PORT_8080_TCP: "tcp://10.0.0.1:8080",
        HOME: "/root",
      }),
    ).toEqual([]);
    expect(problemsOf({ OARS_PORT: "tcp://10.0.0.1:8080" })[0]?.message).toContain("Kubernetes");
  });

  it("refuses a name and its alias that differ, and takes them when they agree", () => {
    expect(named({ OARS_PORT: "8080", PORT: "9090" })).toEqual(["OARS_PORT conflict"]);
    expect(loadConfig({ OARS_PORT: "9090", PORT: "9090" }).http.port).toBe(9090);
  });

  it("takes a blank variable for one that is not set", () => {
    expect(loadConfig({ OARS_PORT: " ", PORT: "9090", OARS_CORS_ORIGINS: "" }).http.port).toBe(9090);
  });

  it("needs the address of PostgreSQL when PostgreSQL is chosen, and the choice when only the address is given", () => {
    expect(named({ OARS_STORE: "postgres" })).toEqual(["OARS_POSTGRES_URL missing"]);
    expect(named({ OARS_POSTGRES_URL: "postgres://db/oars" })).toEqual(["OARS_STORE missing"]);
    expect(loadConfig({ DATABASE_URL: "postgres://db/oars" }).warnings).toHaveLength(1);
    expect(named({ OARS_STORE: "pglite", OARS_POSTGRES_URL: "postgres://db/oars" })).toEqual([]);
  });

  it("warns of CALIBER_API_KEYS, which no longer opens anything", () => {
    expect(loadConfig({ CALIBER_API_KEYS: "a,b" }).warnings[0]).toContain("CALIBER_API_KEYS");
    expect(named({ OARS_VAULT_KEY: "x" })).toEqual(["OARS_VAULT_KEY retired"]);
  });

  it("every default of both presets can be read", () => {
    for (const variable of Object.values(variables)) {
      for (const text of Object.values(variable.preset)) {
        if (text !== null) expect(variable.reader.schema.safeParse(text).success).toBe(true);
      }
    }
  });

  it("every alias belongs to one variable", () => {
    const names = Object.entries(variables).flatMap(([name, v]) => [name, ...v.aliases]);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("production", () => {
  it("starts with its secrets and public address set", () => {
    const config = loadConfig(production);
    expect(config.http).toMatchObject({ host: "0.0.0.0", publicUrl: "https://oars.example.com" });
    expect(config.http.rateLimit.enabled).toBe(true);
    expect(config.logOrigin).toBe("oars.example.com");
    expect(config.warnings.join()).toContain("loss of power");
  });

  it("is also chosen by the seed name of the environment", () => {
    expect(loadConfig({ ...production, OARS_ENV: "", CALIBER_ENVIRONMENT: "production" }).http.host).toBe(
      "0.0.0.0",
    );
  });

  it("refuses missing secrets", () => {
    expect(named({ OARS_ENV: "production" })).toEqual([
      "OARS_DATA_ENCRYPTION_KEY missing",
      "OARS_JWT_SECRET missing",
      "OARS_PUBLIC_URL missing",
    ]);
  });

  it.each([
    ["a placeholder", "OARS_JWT_SECRET", "please-change-me-please-change-me-0123456789"],
    ["a repetition", "OARS_JWT_SECRET", "ab".repeat(30)],
    ["31 characters", "OARS_JWT_SECRET", "0123456789abcdefghijklmnopqrstu"],
    ["a key of zeros", "OARS_DATA_ENCRYPTION_KEY", "0".repeat(64)],
    ["a key of 31 bytes", "OARS_DATA_ENCRYPTION_KEY", Buffer.alloc(31, key).toString("base64")],
    ["a word as key", "OARS_DATA_ENCRYPTION_KEY", "correct horse battery staple"],
  ])("refuses %s", (_what, name, value) => {
    expect(named({ ...production, [name]: value })).toEqual([`${name} invalid`]);
  });

  it("refuses one secret for both purposes, fault points and an API open to every page", () => {
    expect(
      named({ ...production, OARS_JWT_SECRET: key, OARS_FAULT_POINT: "a.b", OARS_CORS_ORIGINS: "*" }),
    ).toEqual(["OARS_JWT_SECRET reused", "OARS_FAULT_POINT forbidden", "OARS_CORS_ORIGINS forbidden"]);
  });
});

describe("secrets", () => {
  it("never appear in the printed configuration", () => {
    const config = loadConfig({
      ...production,
      OARS_STORE: "postgres",
      DATABASE_URL: "postgres://u:hunter2@db/x",
    });
    for (const shown of [JSON.stringify(config), inspect(config, { depth: 9 }), `${config.keys.jwt}`]) {
      expect(shown).toContain("[redacted]");
      expect(shown).not.toMatch(/hunter2|kept-apart/);
      expect(shown).not.toContain(key);
    }
  });

  it("never appear in problems", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[b-z]{12,30}$/), (value) => {
        const env = { OARS_JWT_SECRET: value, OARS_DATA_ENCRYPTION_KEY: value, OARS_POSTGRES_URL: value };
        expect(JSON.stringify(problemsOf(env))).not.toContain(value);
        expect(problemsOf(env).length).toBeGreaterThanOrEqual(3);
      }),
    );
  });
});

describe("readers", () => {
  const read = (name: keyof typeof variables, text: string): unknown =>
    variables[name].reader.schema.safeParse(text).data;

  it.each([
    ["OARS_BODY_LIMIT", "8MiB", 8_388_608],
    ["OARS_BODY_LIMIT", "2048", 2048],
    ["OARS_BODY_LIMIT", "8GB", undefined],
    ["OARS_BODY_LIMIT", "1", undefined],
    ["OARS_PORT", "0", 0],
    ["OARS_PORT", "65536", undefined],
    ["OARS_PORT", "8080.5", undefined],
    ["OARS_PORT", "-1", undefined],
    ["OARS_RATE_LIMIT_ENABLED", "Yes", true],
    ["OARS_RATE_LIMIT_ENABLED", "off", false],
    ["OARS_RATE_LIMIT_ENABLED", "maybe", undefined],
    ["OARS_RATE_LIMIT_ENABLED", "constructor", undefined],
    ["OARS_PUBLIC_URL", "https://h.example.com/oars/", "https://h.example.com/oars"],
    ["OARS_PUBLIC_URL", "ftp://h", undefined],
    ["OARS_PUBLIC_URL", "https://user:pw@h.example.com", undefined],
    ["OARS_CORS_ORIGINS", "*", ["*"]],
    ["OARS_CORS_ORIGINS", "*,https://a.example.com", undefined],
    ["OARS_CORS_ORIGINS", "https://a.example.com/path", undefined],
    ["OARS_EGRESS_ALLOW", "127.0.0.1, ::1,10.0.0.0/8", ["127.0.0.1/32", "::1/128", "10.0.0.0/8"]],
    ["OARS_EGRESS_ALLOW", "10.0.0.0/33", undefined],
    ["OARS_EGRESS_ALLOW", "10", undefined],
    [
      "OARS_EGRESS_HOSTS",
      "API.example.com, *.example.org:443,*:22,[::1]:80",
      [
        { tenantId: null, host: "api.example.com", port: null },
        { tenantId: null, host: "*.example.org", port: 443 },
        { tenantId: null, host: "*", port: 22 },
        { tenantId: null, host: "::1", port: 80 },
      ],
    ],
    [
      "OARS_EGRESS_HOSTS",
      `${formatId("tenant", tenantId)}=a.test:443`,
      [{ tenantId, host: "a.test", port: 443 }],
    ],
    ["OARS_EGRESS_HOSTS", "https://a.test", undefined],
    ["OARS_EGRESS_HOSTS", "a.test:99999", undefined],
    ["OARS_EGRESS_HOSTS", "someone=a.test", undefined],
    [
      "OARS_ALLOWED_TOOLS",
      `slack,http.request,wms/*,wms/http.request,*,${formatId("tenant", tenantId)}=crm/*`,
      [
        { tenantId: null, pattern: "slack" },
        { tenantId: null, pattern: "http.request" },
        { tenantId: null, pattern: "wms/*" },
        { tenantId: null, pattern: "wms/http.request" },
        { tenantId: null, pattern: "*" },
        { tenantId, pattern: "crm/*" },
      ],
    ],
    ["OARS_ALLOWED_TOOLS", "wms/", undefined],
    ["OARS_ALLOWED_TOOLS", "http.*", undefined],
    ["OARS_LOG_ORIGIN", "a b", undefined],
  ] as const)("%s=%s reads as %o", (name, text, value) => {
    expect(read(name, text)).toEqual(value);
  });

  it("takes no offence at the variables of the command line", () => {
    const env = { OARS_URL: "http://127.0.0.1:8080", OARS_KEY: "oars_x_y", OARS_CONFIG_DIR: "/tmp/x" };
    expect(() => loadConfig(env)).not.toThrow();
    expect(() => loadConfig({ OARS_CONFIG_DIRS: "x" })).toThrow(/OARS_CONFIG_DIRS/);
  });
});
