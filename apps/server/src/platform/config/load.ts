import type { NoteKey } from "@oars/receipts";
import { type FieldProblem, OarsError } from "#platform/kernel";
import { nearName } from "./near-name.ts";
import type { WitnessAddress } from "./readers.ts";
import { decodeKey, type Secret } from "./secret.ts";
import {
  otherPrograms,
  type Preset,
  retired,
  type Values,
  type Variable,
  type VariableName,
  variables,
} from "./variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly env: Preset;
  readonly dataDir: string;
  readonly logLevel: Values["OARS_LOG_LEVEL"];
  readonly shutdownTimeoutMs: number;
  /** How long a process may be silent before others take over its work. */
  readonly workerDeadAfterMs: number;
  /** Development only: where the process is to kill itself. */
  readonly faultPoint: string | null;
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Of a process that only works; null: it opens none. */
    readonly workPort: number | null;
    /** Without a trailing slash. */
    readonly publicUrl: string;
    readonly corsOrigins: readonly string[];
    readonly bodyLimit: number;
    readonly rateLimit: { readonly enabled: boolean; readonly windowMs: number; readonly max: number };
    /** Requests of one tenant in a second; 0: any number. */
    readonly tenantPerSecond: number;
    /** Address blocks whose `X-Forwarded-For` is believed. */
    readonly trustedProxies: readonly string[];
    /** What `/metrics` asks for; null: nothing. */
    readonly metricsToken: Secret<string> | null;
    /** Requests under way at once. */
    readonly maxRequests: number;
  };
  readonly store:
    | { readonly kind: "pglite"; readonly dataDir: string }
    | { readonly kind: "postgres"; readonly url: Secret<string>; readonly poolSize: number };
  /** Null in development where nothing is set: `loadOrCreateKeys` then keeps one in the data directory. */
  readonly keys: { readonly dataEncryption: Secret<Uint8Array> | null; readonly jwt: Secret<string> | null };
  /** What wraps data keys, besides the key of this process. */
  readonly kms: {
    readonly more: readonly Secret<Uint8Array>[];
    readonly transit: {
      readonly url: string;
      readonly mount: string;
      readonly key: string;
      readonly auth: { readonly token: string } | { readonly roleId: string; readonly secretId: string };
    } | null;
    readonly cacheMs: number;
  };
  readonly limits: {
    /** Runs in hand of this process. */
    readonly maxConcurrency: number;
    /** Runs that run in all processes together; null for no cap. */
    readonly maxRunning: number | null;
    /** Steps of one run at once, where its flow does not say. */
    readonly defaultMaxParallel: number;
    /** Share of the memory from which on no further runs are taken. */
    readonly memoryShare: number;
    /** Starts that wait for their run's end at once. */
    readonly maxSyncAnswers: number;
    /** Bytes of JSON. */
    readonly maxOutputBytes: number;
  };
  /** Days after which what has ended is dropped; null: never. */
  readonly retention: {
    readonly runs: number | null;
    readonly actions: number | null;
    readonly receipts: number | null;
    readonly events: number | null;
  };
  readonly egressAllow: readonly string[];
  readonly egressHosts: readonly {
    readonly tenantId: string | null;
    readonly host: string;
    readonly port: number | null;
  }[];
  /** When connections that fail are left alone. */
  readonly breaker: { readonly failures: number; readonly openMs: number };
  readonly allowedTools: readonly { readonly tenantId: string | null; readonly pattern: string }[];
  /** Whether drafts need a replay before they are published, where a tenant has not said. */
  readonly policyReplayRequired: boolean;
  /** Runs whose start and end have receipts, where their flow does not say. */
  readonly signedRuns: "all" | "governed" | "none";
  readonly logOrigin: string;
  readonly alerting: {
    readonly siemTargets: Secret<readonly Readonly<Record<string, unknown>>[]>;
    readonly siemWebhookUrl: Secret<string> | null;
    readonly siemFilePath: string | null;
    readonly alertChannels: Secret<readonly Readonly<Record<string, unknown>>[]>;
    readonly alertWebhookUrl: Secret<string> | null;
    /** Of deliveries: the first delay, and how often at most. */
    readonly retry: { readonly baseMs: number; readonly maxAttempts: number };
  };
  /** Days after which signing keys are followed by new ones; null: never by themselves. */
  readonly keyRotateDays: number | null;
  readonly signer: {
    /** Who holds the private halves of new signing keys. */
    readonly kind: "software" | "transit";
    /** Set where the service is known, for keys that it holds already. */
    readonly transit: { readonly url: string; readonly token: Secret<string> } | null;
  };
  readonly witnesses: readonly WitnessAddress[];
  /** How many cosignatures are enough; 0 where nobody is asked. */
  readonly witnessQuorum: number;
  /** Keys of logs of others that this server cosigns. */
  readonly witnessLogs: readonly NoteKey[];
  /** Whether anybody may read logs as files. */
  readonly logPublic: boolean;
  /** Legal, but to be said at start. */
  readonly warnings: readonly string[];
}

type Report = (path: string, code: string, message: string) => void;

/**
 * The configuration of an environment. Pure: reads nothing but its argument. Throws CONFIG_INVALID with every
 * problem at once (variable, what is wrong, what to set); values of secrets never appear in it.
 * An empty or blank variable counts as not set; values are trimmed.
 */
export function loadConfig(env: Environment): Config {
  const problems: FieldProblem[] = [];
  const warnings: string[] = [];
  const report: Report = (path, code, message) => problems.push({ path, code, message });

  reportUnknown(env, report, warnings);
  const values = readAll(env, report);
  checkTogether(values, env, report, warnings);
  if (problems.length > 0) {
    const lines = problems.map((p) => `  ${p.path}: ${p.message}`).join("\n");
    throw new OarsError("CONFIG_INVALID", { problems: lines }, { errors: problems });
  }
  return assemble(values, warnings);
}

/** Read by the command line: a shell that exports them may start a server too. */
const clientVariables = ["OARS_URL", "OARS_KEY", "OARS_CONFIG_DIR"];

function reportUnknown(env: Environment, report: Report, warnings: string[]): void {
  const known = Object.keys(variables);
  const names = new Set([
    ...known,
    ...clientVariables,
    ...Object.values(variables).flatMap((v) => v.aliases as readonly string[]),
  ]);
  for (const [name, value] of Object.entries(env)) {
    if (names.has(name) || !value?.trim()) continue;
    const successor = Object.hasOwn(retired, name) ? retired[name] : undefined;
    if (successor) {
      if (name.startsWith("OARS_")) report(name, "retired", `is no longer read: ${successor}`);
      else warnings.push(`${name} is not read: ${successor}.`);
    } else if (name.startsWith("OARS_") && !otherPrograms.some((pattern) => pattern.test(name))) {
      const near = nearName(name, known);
      report(
        name,
        "unknown",
        `is not a variable of this server; ${near ? `did you mean ${near}?` : "remove it"}`,
      );
    }
  }
}

/** Reads every variable; one that cannot be read is reported and left null, and the rest goes on. */
function readAll(env: Environment, report: Report): Values {
  const stage = ["OARS_ENV", ...variables.OARS_ENV.aliases].map((n) => env[n]?.trim()).find(Boolean);
  const preset: Preset = stage === "production" ? "production" : "development";
  const read = (name: string, variable: Variable<unknown>): unknown => {
    const set = [name, ...variable.aliases].flatMap((n) => {
      const text = env[n]?.trim();
      return text ? [{ name: n, text }] : [];
    });
    const first = set[0];
    for (const other of set.slice(1)) {
      if (first && other.text !== first.text) {
        report(
          first.name,
          "conflict",
          `and ${other.name} name the same setting but differ; set only ${name}`,
        );
      }
    }
    const text = first?.text ?? variable.preset[preset];
    if (text === null) return null;
    const result = variable.reader.schema.safeParse(text);
    if (result.success) return result.data;
    const shown = variable.secret ? "what is set cannot be used" : `\`${text}\` cannot be used`;
    const hint = text.startsWith("tcp://")
      ? " (Kubernetes sets it for a Service: enableServiceLinks: false)"
      : "";
    report(first?.name ?? name, "invalid", `${shown}${hint}; set ${variable.reader.type}`);
    return null;
  };
  const entries = Object.entries(variables).map(([name, variable]) => [name, read(name, variable)] as const);
  return Object.fromEntries(entries) as Values; // one entry per variable, read by its own reader; nulls are reported
}

/** What no variable can be judged by alone. */
function checkTogether(v: Values, env: Environment, report: Report, warnings: string[]): void {
  const isSet = (name: VariableName): boolean =>
    [name, ...variables[name].aliases].some((n) => Boolean(env[n]?.trim()));
  if (v.OARS_STORE === "postgres" && !isSet("OARS_POSTGRES_URL")) {
    report(
      "OARS_POSTGRES_URL",
      "missing",
      `is needed by OARS_STORE=postgres; set ${variables.OARS_POSTGRES_URL.reader.type}`,
    );
  }
  for (const name of ["OARS_SIGNER_URL", "OARS_SIGNER_TOKEN"] as const) {
    if (v.OARS_SIGNER === "transit" && !isSet(name))
      report(name, "missing", `is needed by OARS_SIGNER=transit; set ${variables[name].reader.type}`);
  }
  if (v.OARS_WITNESS_QUORUM !== null && v.OARS_WITNESS_QUORUM > (v.OARS_WITNESSES ?? []).length)
    report(
      "OARS_WITNESS_QUORUM",
      "range",
      "is more than there are in OARS_WITNESSES; lower it or add witnesses",
    );
  if (v.OARS_STORE === "pglite" && !isSet("OARS_STORE") && isSet("OARS_POSTGRES_URL")) {
    if (env.OARS_POSTGRES_URL?.trim()) {
      report(
        "OARS_STORE",
        "missing",
        "is not set though OARS_POSTGRES_URL is; set OARS_STORE=postgres, or pglite to ignore the URL",
      );
    } else warnings.push("DATABASE_URL is ignored; set OARS_STORE=postgres to use it.");
  }
  if (v.OARS_KMS === "transit") {
    if (v.OARS_KMS_URL === null)
      report(
        "OARS_KMS_URL",
        "missing",
        `is needed by OARS_KMS=transit; set ${variables.OARS_KMS_URL.reader.type}`,
      );
    if (v.OARS_KMS_TOKEN === null && (v.OARS_KMS_ROLE_ID === null || v.OARS_KMS_SECRET_ID === null))
      report(
        "OARS_KMS_TOKEN",
        "missing",
        "OARS_KMS=transit needs it, or OARS_KMS_ROLE_ID with OARS_KMS_SECRET_ID",
      );
  }
  if (v.OARS_ENV === "production") checkProduction(v, isSet, report, warnings);
}

function checkProduction(
  v: Values,
  isSet: (name: VariableName) => boolean,
  report: Report,
  warnings: string[],
): void {
  for (const name of ["OARS_DATA_ENCRYPTION_KEY", "OARS_JWT_SECRET", "OARS_PUBLIC_URL"] as const) {
    if (name === "OARS_DATA_ENCRYPTION_KEY" && v.OARS_KMS === "transit") continue;
    if (!isSet(name))
      report(name, "missing", `production has no default for it; set ${variables[name].reader.type}`);
  }
  const signing = decodeKey(v.OARS_JWT_SECRET?.reveal() ?? "");
  if (
    signing &&
    v.OARS_DATA_ENCRYPTION_KEY &&
    Buffer.compare(signing, v.OARS_DATA_ENCRYPTION_KEY.reveal()) === 0
  ) {
    report("OARS_JWT_SECRET", "reused", "is the data encryption key; set another one");
  }
  if (v.OARS_FAULT_POINT !== null) {
    report("OARS_FAULT_POINT", "forbidden", "would kill a production process; remove it");
  }
  if (v.OARS_CORS_ORIGINS?.includes("*")) {
    report(
      "OARS_CORS_ORIGINS",
      "forbidden",
      "`*` opens the API to every page; set the origins of your own pages",
    );
  }
  if (!v.OARS_RATE_LIMIT_ENABLED)
    warnings.push("Request rates are not limited (OARS_RATE_LIMIT_ENABLED=false).");
  if (v.OARS_STORE === "pglite") {
    warnings.push(
      "The embedded database survives a killed process but not a loss of power; OARS_STORE=postgres does.",
    );
  }
  if (v.OARS_PUBLIC_URL?.startsWith("http:")) {
    warnings.push("OARS_PUBLIC_URL is not https: keys and tokens travel in the clear.");
  }
}

function assemble(v: Values, warnings: readonly string[]): Config {
  const publicUrl = v.OARS_PUBLIC_URL ?? `http://127.0.0.1:${v.OARS_PORT}`;
  return {
    env: v.OARS_ENV,
    dataDir: v.OARS_DATA_DIR,
    logLevel: v.OARS_LOG_LEVEL,
    shutdownTimeoutMs: v.OARS_SHUTDOWN_TIMEOUT_MS,
    workerDeadAfterMs: v.OARS_WORKER_DEAD_AFTER_MS,
    faultPoint: v.OARS_FAULT_POINT,
    http: {
      host: v.OARS_HOST,
      port: v.OARS_PORT,
      workPort: v.OARS_WORK_PORT,
      publicUrl,
      corsOrigins: v.OARS_CORS_ORIGINS,
      bodyLimit: v.OARS_BODY_LIMIT,
      rateLimit: {
        enabled: v.OARS_RATE_LIMIT_ENABLED,
        windowMs: v.OARS_RATE_LIMIT_WINDOW_MS,
        max: v.OARS_RATE_LIMIT_MAX,
      },
      tenantPerSecond: v.OARS_RATE_LIMIT_TENANT_PER_SECOND,
      trustedProxies: v.OARS_TRUSTED_PROXIES,
      metricsToken: v.OARS_METRICS_TOKEN,
      maxRequests: v.OARS_MAX_REQUESTS,
    },
    store: storeOf(v),
    keys: { dataEncryption: v.OARS_DATA_ENCRYPTION_KEY, jwt: v.OARS_JWT_SECRET },
    kms: { more: v.OARS_DATA_ENCRYPTION_KEYS_MORE, transit: transitOf(v), cacheMs: v.OARS_KEY_CACHE_MS },
    limits: {
      maxConcurrency: v.OARS_MAX_CONCURRENCY,
      maxRunning: v.OARS_MAX_RUNNING,
      defaultMaxParallel: Math.min(
        v.OARS_DEFAULT_MAX_PARALLEL,
        v.OARS_MAX_RUNNING ?? Number.POSITIVE_INFINITY,
      ),
      memoryShare: v.OARS_MEMORY_LIMIT_SHARE,
      maxSyncAnswers: v.OARS_MAX_SYNC_ANSWERS,
      maxOutputBytes: v.OARS_MAX_ACTION_OUTPUT,
    },
    retention: {
      runs: v.OARS_RETENTION_RUNS,
      actions: v.OARS_RETENTION_ACTIONS,
      receipts: v.OARS_RETENTION_RECEIPTS,
      events: v.OARS_RETENTION_EVENTS,
    },
    egressAllow: v.OARS_EGRESS_ALLOW,
    egressHosts: v.OARS_EGRESS_HOSTS,
    breaker: { failures: v.OARS_BREAKER_FAILURES, openMs: v.OARS_BREAKER_OPEN_MS },
    allowedTools: v.OARS_ALLOWED_TOOLS,
    policyReplayRequired: v.OARS_POLICY_REPLAY_REQUIRED,
    signedRuns: v.OARS_RUN_RECEIPTS,
    logOrigin: v.OARS_LOG_ORIGIN ?? new URL(publicUrl).host.replace(/:0$/, ""), // a free port is another each time
    keyRotateDays: v.OARS_KEY_ROTATE_AFTER,
    signer: {
      kind: v.OARS_SIGNER,
      transit:
        v.OARS_SIGNER_URL && v.OARS_SIGNER_TOKEN
          ? { url: v.OARS_SIGNER_URL, token: v.OARS_SIGNER_TOKEN }
          : null,
    },
    witnesses: v.OARS_WITNESSES,
    witnessQuorum: v.OARS_WITNESS_QUORUM ?? v.OARS_WITNESSES.length,
    witnessLogs: v.OARS_WITNESS_LOGS,
    logPublic: v.OARS_LOG_PUBLIC,
    alerting: {
      siemTargets: v.OARS_SIEM_TARGETS,
      siemWebhookUrl: v.OARS_SIEM_WEBHOOK_URL,
      siemFilePath: v.OARS_SIEM_FILE_PATH,
      alertChannels: v.OARS_ALERT_CHANNELS,
      alertWebhookUrl: v.OARS_ALERT_WEBHOOK_URL,
      retry: {
        baseMs: v.OARS_SIEM_RETRY_INTERVAL_SECONDS * 1000,
        maxAttempts: v.OARS_SIEM_RETRY_MAX_ATTEMPTS,
      },
    },
    warnings,
  };
}

function transitOf(v: Values): Config["kms"]["transit"] {
  if (v.OARS_KMS !== "transit") return null;
  const { OARS_KMS_MOUNT: mount, OARS_KMS_KEY: key, OARS_KMS_ROLE_ID: roleId } = v;
  const secretId = v.OARS_KMS_SECRET_ID?.reveal();
  const auth = roleId && secretId ? { roleId, secretId } : { token: v.OARS_KMS_TOKEN?.reveal() ?? "" };
  return { url: v.OARS_KMS_URL ?? "", mount, key, auth };
}

const storeOf = (v: Values): Config["store"] =>
  v.OARS_STORE === "postgres" && v.OARS_POSTGRES_URL
    ? { kind: "postgres", url: v.OARS_POSTGRES_URL, poolSize: v.OARS_POSTGRES_POOL }
    : { kind: "pglite", dataDir: v.OARS_DATA_DIR };
