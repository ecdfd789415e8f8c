/** The only file that reads the environment and handles signals. */
import module from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Config } from "#platform/config";
import type { Role } from "./roles.ts";
import type { ServeOptions } from "./serve.ts";

// Compiled once and kept beside the code: a start takes half the processor time. Where that cannot be written it is as before.
module.enableCompileCache?.(join(import.meta.dirname, "../node_modules/.cache"));
const { loadConfig, loadOrCreateKeys } = await import("#platform/config");
const { isOarsError } = await import("#platform/kernel");
const { createTelemetry } = await import("#platform/telemetry");
const { renderDoctor } = await import("./doctor.ts");
const { fsck } = await import("./fsck.ts");
const { keysCommand } = await import("./keys-command.ts");
const { migrateStore } = await import("./migrations.ts");
const { assertRole } = await import("./roles.ts");
const { serve } = await import("./serve.ts");
const { vaultCommand, vaultUsage } = await import("./vault-command.ts");
const { work } = await import("./work.ts");

const usage = `Usage: oars-server <command>

  serve    API and worker in one process (the default); --no-worker: the API alone
  work     executes runs, without an API; any number on one PostgreSQL
  migrate  brings the database to this version and ends
  vault    rotates the keys that data are sealed with; see oars-server vault
  fsck     makes every log again from its receipts and names the first difference; --json.
           Ends with 0: none, 1: one was found, 2: it could not be told
  keys     lists or rotates signing keys: keys list|rotate --of <tenant id|instance> [--use receipt|log]
  doctor   checks the configuration and prints what is in force
`;

const exitCodes: Readonly<Record<string, number>> = {
  CONFIG_INVALID: 78,
  SERVER_ADDRESS_TAKEN: 76,
  STORE_LOCKED: 75,
  STORE_NEWER: 57,
  STORE_UNAVAILABLE: 69,
  KMS_UNAVAILABLE: 69,
};

async function main(argv: readonly string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      "no-worker": { type: "boolean" },
      "data-keys": { type: "boolean" },
      json: { type: "boolean" },
      of: { type: "string" },
      use: { type: "string" },
    },
  });
  const command = positionals[0] ?? "serve";
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const config = loadConfig(process.env);
  switch (command) {
    case "doctor":
      process.stdout.write(renderDoctor(config, process.env));
      return 0;
    case "migrate":
      process.stdout.write(`${await migrateStore(config)}\n`);
      return 0;
    case "vault":
      if (positionals.length < 2) {
        process.stdout.write(vaultUsage);
        return 2;
      }
      return vaultCommand(
        {
          config,
          keys: await loadOrCreateKeys(config.dataDir, config.keys),
          print: (line) => process.stdout.write(`${line}\n`),
          kill,
        },
        positionals.slice(1),
        { dataKeys: values["data-keys"] === true },
      );
    case "keys":
      return keysCommand(
        config,
        await loadOrCreateKeys(config.dataDir, config.keys),
        { verb: positionals[1], of: values.of, use: values.use },
        (text) => process.stdout.write(`${text}\n`),
      );
    case "fsck":
      return fsck(config, values.json === true, (text) => process.stdout.write(`${text}\n`)).catch(
        (error: unknown) => {
          process.stderr.write(`It cannot be told: ${error instanceof Error ? error.message : error}\n`);
          return 2;
        },
      );
    case "serve":
      return run(config, values["no-worker"] ? "api" : "serve");
    case "work":
      return run(config, "work");
    default:
      process.stderr.write(`There is no command ${command}.\n\n${usage}`);
      return 2;
  }
}

async function run(config: Config, role: Role): Promise<number> {
  assertRole(role, config);
  const asked = firstSignal(); // before the start: one that comes meanwhile stops it as soon as it runs
  const options: ServeOptions = {
    config,
    keys: await loadOrCreateKeys(config.dataDir, config.keys),
    telemetry: createTelemetry({ level: config.logLevel, name: "oars-server" }),
    print: (text) => process.stdout.write(`${text}\n`),
    kill,
  };
  const running = await (role === "work" ? work(options) : serve(options, role === "serve"));
  const code = await Promise.race([asked.then(() => 0), running.fenced.then(() => 70)]);
  setTimeout(() => process.exit(1), config.shutdownTimeoutMs + lastResortMs).unref();
  await running.stop();
  return code;
}

/** For fault points: the process ends as if its power had gone. */
const kill = (): void => {
  process.kill(process.pid, "SIGKILL");
};

/** A stop that hangs, as when the database is out of reach, ends after so much more. */
const lastResortMs = 10_000;

/** The first signal asks for a stop in order, a second one ends the process at once. */
function firstSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    });
  }
  return promise;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  if (isOarsError(error)) {
    const why = error.cause instanceof Error ? ` (${error.cause.message})` : "";
    process.stderr.write(`${error.code}: ${error.message}${why}\n`);
    process.exit(exitCodes[error.code] ?? 1);
  }
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
