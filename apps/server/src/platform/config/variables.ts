/**
 * Every environment variable that the server reads, in one table: the reader, the aliases under which the
 * seed systems knew it, the default, and the words of the reference. The configuration reference and
 * `.env.example` are generated from here, so a variable that is not in this table does not exist.
 */
import * as read from "./readers.ts";

export type Preset = "development" | "production";

export interface Variable<T> {
  readonly group:
    | "Process"
    | "HTTP"
    | "Store"
    | "Secrets"
    | "Limits"
    | "Network"
    | "Policy"
    | "Log"
    | "Alerts and SIEM";
  readonly reader: read.Reader<T>;
  /** The text that stands in when nothing is set; null where there is none. */
  readonly preset: Readonly<Record<Preset, string | null>>;
  /** What happens when there is no default and nothing is set. */
  readonly otherwise?: string;
  readonly aliases: readonly string[];
  readonly description: string;
  readonly secret: boolean;
}

type Words = Pick<Variable<unknown>, "group" | "description"> &
  Partial<Pick<Variable<unknown>, "aliases" | "secret">>;
type Always<T> = Variable<T> & { readonly always: true };
type Sometimes<T> = Variable<T> & { readonly always: false };

/** A variable with a default: it always has a value. */
const always = <T>(
  reader: read.Reader<T>,
  preset: string | Record<Preset, string>,
  words: Words,
): Always<T> => ({
  aliases: [],
  secret: false,
  ...words,
  reader,
  always: true,
  preset: typeof preset === "string" ? { development: preset, production: preset } : preset,
});

/** A variable without a default; `otherwise` says what its absence means. */
const sometimes = <T>(reader: read.Reader<T>, otherwise: string, words: Words): Sometimes<T> => ({
  aliases: [],
  secret: false,
  ...words,
  reader,
  always: false,
  otherwise,
  preset: { development: null, production: null },
});

export const variables = {
  OARS_ENV: always(read.oneOf("development", "production"), "development", {
    group: "Process",
    aliases: ["CALIBER_ENVIRONMENT"],
    description:
      "The preset. `production` listens on every address, limits request rates and refuses missing or default secrets.",
  }),
  OARS_DATA_DIR: always(read.text("a directory"), ".oars", {
    group: "Process",
    description: "Where the embedded database and, in development, the generated secrets are kept.",
  }),
  OARS_LOG_LEVEL: always(
    read.oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"),
    { development: "info", production: "info" },
    { group: "Process", aliases: ["LOG_LEVEL"], description: "The least severe log line that is written." },
  ),
  OARS_SHUTDOWN_TIMEOUT_MS: always(read.whole(0, 600_000, "milliseconds"), "15000", {
    group: "Process",
    description:
      "How long a stopping process waits for requests and steps under way. What is left is taken over by another worker.",
  }),
  OARS_FAULT_POINT: sometimes(
    read.text(
      "the name of a fault point, or `name:n` for its n-th hit",
      /^[a-z][a-z0-9.-]*(:[1-9]\d{0,5})?$/,
    ),
    "no fault is injected",
    {
      group: "Process",
      description: "Crash tests only: the process kills itself at this point. Refused in production.",
    },
  ),

  OARS_WORKER_DEAD_AFTER_MS: always(read.whole(300, 600_000, "milliseconds"), "30000", {
    group: "Process",
    description:
      "A process that has not renewed its row for so long is dead: others take over its runs, and it ends when it comes back. It renews three times as often.",
  }),

  OARS_HOST: always(
    read.text("an address or host name to listen on", /^[A-Za-z0-9.:_-]+$/),
    { development: "127.0.0.1", production: "0.0.0.0" },
    {
      group: "HTTP",
      aliases: ["CALIBER_API_BIND"],
      description: "The address to listen on. Development is not reachable from other machines.",
    },
  ),
  OARS_PORT: always(read.whole(0, 65_535), "8080", {
    group: "HTTP",
    aliases: ["PORT"],
    description: "The port to listen on; 0 takes a free one.",
  }),
  OARS_WORK_PORT: sometimes(read.whole(0, 65_535), "`oars-server work` opens no port", {
    group: "HTTP",
    description:
      "Where `oars-server work` answers `/health/live`, `/health/ready` and `/metrics`, on `OARS_HOST`; 0 takes a free port.",
  }),
  OARS_PUBLIC_URL: sometimes(read.webAddress, "`http://127.0.0.1:<port>`; production must set it", {
    group: "HTTP",
    description: "The address under which callers reach this server; links and the log origin carry it.",
  }),
  OARS_CORS_ORIGINS: always(read.origins, "", {
    group: "HTTP",
    aliases: ["CALIBER_CORS_ORIGINS"],
    description:
      "Other origins whose pages may call the API. Empty: only the server's own. Production refuses `*`.",
  }),
  OARS_BODY_LIMIT: always(read.bytes(1024, 52_428_800), "1MiB", {
    group: "HTTP",
    aliases: ["OARS_BODY_LIMIT_BYTES"],
    description: "The largest request body.",
  }),
  OARS_RATE_LIMIT_ENABLED: always(
    read.yesOrNo,
    { development: "false", production: "true" },
    {
      group: "HTTP",
      aliases: ["CALIBER_RATE_LIMIT_ENABLED"],
      description: "Whether requests are limited per principal, and per address before authentication.",
    },
  ),
  OARS_RATE_LIMIT_WINDOW_MS: always(read.whole(1000, 3_600_000, "milliseconds"), "60000", {
    group: "HTTP",
    aliases: ["WAF_RATE_LIMIT_WINDOW_MS"],
    description: "The window over which requests are counted.",
  }),
  OARS_RATE_LIMIT_MAX: always(read.whole(1, 10_000_000), "1800", {
    group: "HTTP",
    aliases: ["WAF_RATE_LIMIT_MAX_REQUESTS"],
    description: "Requests that one caller may make in a window (1800 a minute is 30 a second).",
  }),
  OARS_RATE_LIMIT_TENANT_PER_SECOND: always(read.whole(0, 1_000_000), "0", {
    group: "HTTP",
    description:
      "Requests and signed deliveries of one tenant that this process takes in a second, all callers together, whether or not rates of callers are limited. 0 sets no limit.",
  }),
  OARS_TRUSTED_PROXIES: always(read.addressBlocks, "", {
    group: "HTTP",
    description:
      "Address blocks of proxies before this server. Of a request that comes from one of them, `X-Forwarded-For` says who sent it; from anybody else that header counts for nothing.",
  }),
  OARS_METRICS_TOKEN: sometimes(
    read.secretText("at least 16 characters without spaces", /^\S{16,}$/),
    "`/metrics` answers anybody who reaches it",
    {
      group: "HTTP",
      secret: true,
      description: "Bearer token without which `/metrics` tells nothing.",
    },
  ),
  OARS_MAX_REQUESTS: always(read.whole(16, 100_000), "2000", {
    group: "Limits",
    description:
      "Requests under way in this process before it answers 503 with `Retry-After` to those that start work. A quarter more is kept for those that look and operate. Health and metrics always answer.",
  }),
  OARS_MAX_SYNC_ANSWERS: always(read.whole(0, 100_000), "1000", {
    group: "Limits",
    description:
      "Starts that may wait for the end of their run at once, and as many proposals for the outcome of their action. Beyond it they are refused with 503.",
  }),
  OARS_MAX_ACTION_OUTPUT: always(read.whole(1_024, 10_485_760), "1048576", {
    group: "Limits",
    description:
      "Largest output, in bytes of JSON, that is kept of an action which is no step of a run. Of a larger one its size and beginning are kept.",
  }),

  OARS_STORE: always(read.oneOf("pglite", "postgres"), "pglite", {
    group: "Store",
    description:
      "`pglite`: embedded in this process, nothing to install, one process only, survives a killed process but not a loss of power. `postgres`: a PostgreSQL 15 or newer server, any number of processes.",
  }),
  OARS_POSTGRES_URL: sometimes(read.postgresUrl, "needed when `OARS_STORE=postgres`", {
    group: "Store",
    aliases: ["DATABASE_URL"],
    secret: true,
    description: "How to reach PostgreSQL.",
  }),
  OARS_POSTGRES_POOL: always(read.whole(2, 500), "10", {
    group: "Store",
    description:
      "Connections to PostgreSQL that serve requests; the system pool and the committer open a few more.",
  }),

  OARS_RETENTION_RUNS: always(read.keeping, "400d", {
    group: "Store",
    description:
      "How long a run is kept after its end, with its journal and what it stored. Whole months are dropped, so it may be a month longer, and as long as a run of that month is under way.",
  }),
  OARS_RETENTION_ACTIONS: always(read.keeping, "400d", {
    group: "Store",
    description:
      "How long an action is kept after its end, with its approval. Whole months are dropped, none while an older run is under way.",
  }),
  OARS_RETENTION_RECEIPTS: always(read.keeping, "forever", {
    group: "Store",
    description:
      "How long receipts can be read. Their hashes and the signed checkpoints stay for ever, so a copy that somebody kept can be verified.",
  }),

  OARS_RETENTION_EVENTS: always(read.keeping, "400d", {
    group: "Store",
    description: "How long security events are kept. Whole months are dropped.",
  }),

  OARS_DATA_ENCRYPTION_KEY: sometimes(
    read.key32,
    "made once and kept in the data directory; production must set it",
    {
      group: "Secrets",
      secret: true,
      description:
        "The key that wraps every tenant's data key. Whoever loses it loses all sealed data: keep a copy apart from the backups.",
    },
  ),
  OARS_DATA_ENCRYPTION_KEYS_MORE: always(read.key32List, "", {
    group: "Secrets",
    secret: true,
    description:
      "Further keys that may have wrapped data keys, for a change of `OARS_DATA_ENCRYPTION_KEY`: they open, and wrap nothing.",
  }),
  OARS_KMS: always(read.oneOf("local", "transit"), "local", {
    group: "Secrets",
    description:
      "Who wraps data keys: `local`, with `OARS_DATA_ENCRYPTION_KEY`; `transit`, a service with the interface of HashiCorp Vault's transit engine.",
  }),
  OARS_KMS_URL: sometimes(read.webAddress, "needed when `OARS_KMS=transit`", {
    group: "Secrets",
    description: "Of the key service, such as `https://vault.example:8200`.",
  }),
  OARS_KMS_MOUNT: always(read.text("a path", /^[A-Za-z0-9_-]{1,100}$/), "transit", {
    group: "Secrets",
    description: "Where the transit engine is mounted.",
  }),
  OARS_KMS_KEY: always(read.text("a name", /^[A-Za-z0-9_.-]{1,100}$/), "oars", {
    group: "Secrets",
    description: "The key of the engine that wraps data keys.",
  }),
  OARS_KMS_TOKEN: sometimes(
    read.secretText("a token", /^\S{1,4000}$/),
    "needed when `OARS_KMS=transit` without a role",
    {
      group: "Secrets",
      secret: true,
      description: "Proves this server to the key service.",
    },
  ),
  OARS_KMS_ROLE_ID: sometimes(read.text("a role id", /^\S{1,200}$/), "for a login by AppRole", {
    group: "Secrets",
    description: "In place of `OARS_KMS_TOKEN`, with `OARS_KMS_SECRET_ID`.",
  }),
  OARS_KMS_SECRET_ID: sometimes(read.secretText("a secret id", /^\S{1,4000}$/), "for a login by AppRole", {
    group: "Secrets",
    secret: true,
    description: "Belongs to `OARS_KMS_ROLE_ID`.",
  }),
  OARS_KEY_CACHE_MS: always(read.whole(100, 3_600_000, "milliseconds"), "60000", {
    group: "Secrets",
    description:
      "How long unwrapped data keys serve before they are read anew. While the key service does not answer they go on. Set it alike for all processes: a rotation waits twice as long.",
  }),
  OARS_JWT_SECRET: sometimes(
    read.passphrase,
    "made once and kept in the data directory; production must set it",
    {
      group: "Secrets",
      aliases: ["CALIBER_JWT_SECRET"],
      secret: true,
      description: "Signs session tokens. Changing it ends every session.",
    },
  ),

  OARS_MAX_CONCURRENCY: always(read.whole(1, 100_000), "1000", {
    group: "Limits",
    description: "Runs that this process executes at the same time. Waiting runs do not count.",
  }),
  OARS_MAX_RUNNING: sometimes(read.whole(1, 1_000_000), "no cap", {
    group: "Limits",
    aliases: ["ORCHESTRATION_MAX_CONCURRENCY"],
    description:
      "Runs that execute at the same time in all processes on the database together; further ones wait in the queue. Set it alike for all of them. `OARS_DEFAULT_MAX_PARALLEL` counts at most as much.",
  }),
  OARS_DEFAULT_MAX_PARALLEL: always(read.whole(1, 1000), "4", {
    group: "Limits",
    aliases: ["ORCHESTRATION_DEFAULT_MAX_PARALLEL"],
    description:
      "Steps of one run that execute at the same time when the flow does not say; at most `OARS_MAX_RUNNING`.",
  }),
  OARS_MEMORY_LIMIT_SHARE: always(read.share, "0.85", {
    group: "Limits",
    description:
      "The share of the memory that this process may have, heap or container, from which on it takes on no further runs, until it has a tenth less.",
  }),

  OARS_EGRESS_ALLOW: always(read.addressBlocks, "", {
    group: "Network",
    description:
      "Private address blocks that connectors may reach. Public addresses are open; loopback, private and link-local ones are refused unless listed here.",
  }),

  OARS_EGRESS_HOSTS: always(read.egressHosts, "", {
    group: "Network",
    description:
      "Hosts that connectors may reach, as `host`, `host:port`, `*.domain` or `*:port`; empty: all. An entry `tenant_…=host:port` is one tenant's own, and a tenant with entries of its own is held to those alone.",
  }),
  OARS_BREAKER_FAILURES: always(read.whole(0, 1000), "10", {
    group: "Network",
    description:
      "Failures in a row (no answer, or 502, 503, 504) after which a connection is left alone by this process for `OARS_BREAKER_OPEN_MS`; 0: never.",
  }),
  OARS_BREAKER_OPEN_MS: always(read.whole(100, 3_600_000, "milliseconds"), "15000", {
    group: "Network",
    description: "How long a connection is left alone before one call finds out whether it works again.",
  }),
  OARS_ALLOWED_TOOLS: always(read.allowedTools, "", {
    group: "Network",
    description:
      "Tools that may be used, as a connector (`slack`), an operation (`http.request`), or of one connection (`wms/*`, `wms/http.request`); empty: all. An entry `tenant_…=wms/*` is one tenant's own, and a tenant with entries of its own is held to those alone.",
  }),

  OARS_POLICY_REPLAY_REQUIRED: always(read.yesOrNo, "false", {
    group: "Policy",
    description:
      "Whether a draft must have been replayed over recent decisions before it takes the place of the policy in force. A tenant may say otherwise for itself.",
  }),

  OARS_LOG_ORIGIN: sometimes(
    read.text("a name without spaces or `+`, such as `oars.example.com`", /^[^\s+]{1,200}$/),
    "the host of the public URL",
    {
      group: "Log",
      description:
        "The name under which receipt logs are signed. Verifiers pin it: choose it once and never change it.",
    },
  ),
  OARS_RUN_RECEIPTS: always(read.oneOf("all", "governed", "none"), "governed", {
    group: "Log",
    description:
      "Runs whose start and end are signed, where their flow does not say (`receipts: { runs: true }`): all of them, those of flows with a step that proposes actions, or none. A receipt costs a signature; decisions and outcomes of actions are signed in any case.",
  }),
  OARS_KEY_ROTATE_AFTER: always(read.keeping, "90d", {
    group: "Log",
    description:
      "How old a signing key becomes before a new one follows it, with a day of overlap; `forever`: keys are rotated by hand alone.",
  }),
  OARS_SIGNER: always(read.oneOf("software", "transit"), "software", {
    group: "Log",
    description:
      "Who holds the private halves of new signing keys. `software`: this server, sealed with `OARS_DATA_ENCRYPTION_KEY`. `transit`: a service with the interface of Vault's transit engine, as HashiCorp Vault, OpenBao and gateways before HSMs have. Keys that exist stay where they are until they are rotated.",
  }),
  OARS_SIGNER_URL: sometimes(read.webAddress, "needed when `OARS_SIGNER=transit`", {
    group: "Log",
    description:
      "The transit engine, such as `https://vault.example:8200/v1/transit`. A private address must be in `OARS_EGRESS_ALLOW`.",
  }),
  OARS_SIGNER_TOKEN: sometimes(
    read.secretText("a token without spaces", /^\S{1,2000}$/),
    "needed when `OARS_SIGNER=transit`",
    {
      group: "Log",
      secret: true,
      description:
        "The token for it. It must be allowed to make, read and rotate the keys `oars-*`, and to sign with them.",
    },
  ),
  OARS_WITNESSES: always(read.witnesses, "", {
    group: "Log",
    description:
      "Who is asked to cosign the log of logs (C2SP tlog-witness), each as the prefix of its URL, `#` and its vkey. Private addresses must be in `OARS_EGRESS_ALLOW`.",
  }),
  OARS_WITNESS_QUORUM: sometimes(read.whole(1, 64), "all of `OARS_WITNESSES`", {
    group: "Log",
    description: "How many cosignatures make a receipt witnessed.",
  }),
  OARS_WITNESS_LOGS: always(read.logKeys, "", {
    group: "Log",
    description:
      "Logs that this server cosigns for others at `/witness/add-checkpoint`, by their vkeys; a log that changes its key is listed with both.",
  }),
  OARS_LOG_PUBLIC: always(read.yesOrNo, "true", {
    group: "Log",
    description:
      "Whether anybody may read the logs' tiles and checkpoints below `/log/`. They hold hashes alone, but their growth shows how busy a tenant is.",
  }),

  OARS_SIEM_TARGETS: always(read.jsonObjects, "[]", {
    group: "Alerts and SIEM",
    secret: true,
    description:
      "Where security events of all tenants go: a JSON array of targets with `id`, `kind` and what the kind needs; see the guide to alerts and SIEM.",
  }),
  OARS_SIEM_WEBHOOK_URL: sometimes(read.secretAddress, "no such target", {
    group: "Alerts and SIEM",
    secret: true,
    description: "A target `legacy_siem_webhook`: every security event is posted there.",
  }),
  OARS_SIEM_FILE_PATH: sometimes(read.text("a path"), "no such target", {
    group: "Alerts and SIEM",
    description: "A target `legacy_siem_file`: every security event is a line of this file.",
  }),
  OARS_SIEM_RETRY_INTERVAL_SECONDS: always(read.whole(1, 3600, "seconds"), "30", {
    group: "Alerts and SIEM",
    description:
      "How long a delivery that failed waits the first time, to a target or a channel; twice as long each further time, up to 5 minutes.",
  }),
  OARS_SIEM_RETRY_MAX_ATTEMPTS: always(read.whole(1, 100), "8", {
    group: "Alerts and SIEM",
    description: "After so many attempts a delivery becomes a dead letter, which can be replayed.",
  }),
  OARS_ALERT_CHANNELS: always(read.jsonObjects, "[]", {
    group: "Alerts and SIEM",
    secret: true,
    description:
      "Channels that alerts of all tenants may go to: a JSON array with `id`, `kind` and what the kind needs; see the guide to alerts and SIEM.",
  }),
  OARS_ALERT_WEBHOOK_URL: sometimes(read.secretAddress, "no such channel", {
    group: "Alerts and SIEM",
    secret: true,
    description: "A channel `legacy_alert_webhook`: alerts are posted there.",
  }),
} as const;

export type VariableName = keyof typeof variables;

/** The values of all variables, read. Those without a default may be null. */
export type Values = {
  readonly [K in VariableName]: (typeof variables)[K] extends Always<infer T>
    ? T
    : (typeof variables)[K] extends Sometimes<infer T>
      ? T | null
      : never;
};

/** Names with our prefix that other programs of the house read; the server leaves them alone. */
export const otherPrograms: readonly RegExp[] = [
  /^OARS_(URL|API_KEY|TOKEN|TENANT)$/, // command line and SDK
  /^OARS_(TEST|BENCH|DEMO)_/,
  /^OARS_SERVICE_(HOST|PORT)|^OARS_PORT_\d+_/, // Kubernetes, for a Service named oars
];

/** Names of the seed systems that no longer do anything, with what took their place. */
export const retired: Readonly<Record<string, string>> = {
  CALIBER_API_KEYS: "API keys belong to principals now; issue one for each principal",
  OARS_VAULT_KEY: "one key protects all sealed data; set OARS_DATA_ENCRYPTION_KEY",
  OARS_API_TOKENS: "API keys belong to principals now; issue one for each principal",
  OARS_SIEM_RETRY_AUTO_START: "deliveries are always tried again; pause a target to stop them",
  OARS_SIEM_RETRY_QUEUE_PATH: "the queue is in the database",
  OARS_SIEM_RETRY_MAX_QUEUE_SIZE: "the queue is in the database and loses nothing when it grows",
  OARS_RATE_LIMIT_RPM: "set OARS_RATE_LIMIT_MAX, which counts per OARS_RATE_LIMIT_WINDOW_MS",
  OARS_ALLOW_INSECURE_DEFAULTS: "production has no insecure mode; run with OARS_ENV=development instead",
};
