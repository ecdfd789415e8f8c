/** What every connector promises, as a check that any connector can be held against. */
import { z } from "zod";
import { type Json, newId } from "#platform/kernel";
import { createDialer } from "#platform/net";
import type { CallContext, Connection, Connector, Operation } from "./connector.ts";
import { isJson } from "./json-value.ts";

/**
 * Everything in which a connector breaks the rules of the kit, one sentence each; empty when it keeps them.
 * Nothing is called: network and secrets are closed, and a connector must cope with that too.
 */
export async function checkConnector(connector: Connector): Promise<string[]> {
  const faults = [...manifestFaults(connector), ...configFaults(connector)];
  const read = connector.configSchema.safeParse(connector.fixtures.config);
  if (!read.success) return [...faults, `fixtures.config is refused: ${z.prettifyError(read.error)}`];
  const connection = connectionOf(connector, read.data);
  const report = await outcomeOf(() => connector.test(closed(connection)));
  if (!isRefused(report))
    faults.push("test() must report ok: false, and not throw, when nothing can be reached");
  for (const [name, operation] of Object.entries(connector.operations)) {
    const found = await operationFaults(connector, connection, name, operation);
    faults.push(...found.map((fault) => `${name}: ${fault}`));
  }
  return faults;
}

function manifestFaults(connector: Connector): string[] {
  const faults: string[] = [];
  if (!/^[a-z][a-z0-9]{1,30}$/.test(connector.name))
    faults.push("name must be lower-case letters and digits");
  if (connector.title.trim() === "") faults.push("title is empty");
  if (!connector.description.endsWith(".")) faults.push("description must be one sentence");
  if (!URL.canParse(connector.docs)) faults.push("docs must be the URL of the interface's description");
  if (connector.auth.length === 0) faults.push("auth is empty; say none when there is none");
  if (Object.keys(connector.operations).length === 0) faults.push("there is no operation");
  return faults;
}

function configFaults(connector: Connector): string[] {
  const faults: string[] = [];
  const { config } = connector.fixtures;
  if (connector.configSchema.safeParse({ ...config, noSuchField: 1 }).success)
    faults.push("the config takes unknown fields");
  const read = connector.configSchema.safeParse(config);
  if (!read.success) return faults;
  const named = new Set(connector.secretNames(read.data));
  const held = referencesIn(config);
  for (const name of held) if (!named.has(name)) faults.push(`secretNames leaves out ${name}`);
  for (const name of named) if (!held.has(name)) faults.push(`secretNames makes up ${name}`);
  if (held.size > 0 && connector.configSchema.safeParse(withPlainSecrets(config)).success)
    faults.push("the config takes a secret itself in place of its name");
  return faults;
}

async function operationFaults(
  connector: Connector,
  connection: Connection,
  name: string,
  operation: Operation,
): Promise<string[]> {
  const faults: string[] = [];
  if (
    operation.name !== name ||
    operation.connector !== connector.name ||
    !name.startsWith(`${connector.name}.`)
  )
    faults.push("must be named <connector>.<operation>, and say so itself");
  if (operation.title.trim() === "" || !operation.description.endsWith("."))
    faults.push("needs a title and a description of one sentence");
  const fixtures = connector.fixtures.inputs[name] ?? [];
  if (fixtures.length === 0) faults.push("has no fixture");
  if (!hasJsonSchema(operation)) faults.push("its input cannot be shown as JSON Schema");
  for (const { input, shape } of fixtures) {
    const whole = { ...input, connection: connection.name };
    const parsed = operation.input.safeParse(whole);
    if (!parsed.success) faults.push(`a fixture is refused: ${z.prettifyError(parsed.error)}`);
    else faults.push(...(await fixtureFaults(operation, connection, parsed.data, shape).catch(thrown)));
    if (operation.input.safeParse({ ...whole, noSuchField: 1 }).success)
      faults.push("the input takes unknown fields");
  }
  return faults;
}

async function fixtureFaults(
  operation: Operation,
  connection: Connection,
  input: unknown,
  expected: object,
): Promise<string[]> {
  const faults: string[] = [];
  const shape = operation.describe(connection, input);
  for (const [field, value] of Object.entries(expected)) {
    const got = (shape as unknown as Record<string, unknown>)[field]; // fixtures name fields of the shape
    if (JSON.stringify(got) !== JSON.stringify(value))
      faults.push(`${field} of the shape is ${JSON.stringify(got)}, not ${JSON.stringify(value)}`);
  }
  if (shape.target === "" || /[\s\p{Cc}]/u.test(shape.target))
    faults.push("its target is empty or holds spaces");
  if (JSON.stringify(operation.describe(connection, input)) !== JSON.stringify(shape))
    faults.push("describes one input in two ways");
  if (!throwsFor(() => operation.describe({ ...connection, connector: "another" }, input)))
    faults.push("takes a connection of another connector");
  const emulated = operation.emulate(connection, input);
  if (!operation.output.safeParse(emulated).success || !isJson(emulated))
    faults.push("emulate gives something else than its output schema");
  const outcome = await outcomeOf(() =>
    operation.execute({ ...closed(connection), idempotencyKey: "k" }, input),
  );
  if (!isFailed(outcome)) faults.push("must fail, and not throw, when nothing can be reached");
  return faults;
}

const thrown = (error: unknown): string[] => [`a fixture cannot be described: ${String(error)}`];

async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return error;
  }
}

const isFailed = (outcome: unknown): boolean =>
  typeof outcome === "object" && outcome !== null && "status" in outcome && outcome.status === "failed";

const isRefused = (report: unknown): boolean =>
  typeof report === "object" && report !== null && "ok" in report && report.ok === false;

function throwsFor(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch {
    return true;
  }
}

function hasJsonSchema(operation: Operation): boolean {
  try {
    return typeof z.toJSONSchema(operation.input, { io: "input", unrepresentable: "any" }) === "object";
  } catch {
    return false;
  }
}

/** Names of the secrets that a config refers to. */
function referencesIn(value: Json): Set<string> {
  if (typeof value === "string") return new Set(value.startsWith("vault:") ? [value.slice(6)] : []);
  if (typeof value !== "object" || value === null) return new Set();
  return new Set(Object.values(value).flatMap((item) => [...referencesIn(item)]));
}

function withPlainSecrets(value: Json): Json {
  if (typeof value === "string") return value.startsWith("vault:") ? "hunter2" : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withPlainSecrets);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withPlainSecrets(item)]));
}

const connectionOf = (connector: Connector, settings: unknown): Connection => ({
  id: newId(),
  tenantId: newId(),
  name: "fixture",
  connector: connector.name,
  config: connector.fixtures.config,
  settings,
  environment: "test",
  risk: 50,
  dataTypes: [],
  facts: {},
  emulate: false,
  revision: 1,
  createdAt: new Date(0),
  updatedAt: new Date(0),
});

/** A context from which nothing can be reached: every address is denied before anything is dialled. */
const closed = (connection: Connection): CallContext => ({
  connection,
  secrets: async () => "fixture-secret",
  dialer: createDialer({
    allow: [],
    deny: ["0.0.0.0/0", "::/0"],
    maxResponseBytes: 1,
    connectTimeoutMs: 1_000,
    resolve: async () => ["127.0.0.1"],
  }),
  timeoutMs: 1_000,
});
