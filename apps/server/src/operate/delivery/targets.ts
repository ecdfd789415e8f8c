/** Targets as administrators keep them: configured, tested, paused, removed. */
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import { type EventType, type SecurityEvents, shownEvent } from "#platform/events";
import { type FieldProblem, formatId, newId, OarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import type { AlertNotice, Format, Item, Purpose, Sent } from "./domain.ts";
import type { EnvTarget } from "./env-targets.ts";
import { configSchemas, shownConfig, type TargetConfig, targetOptions } from "./target-config.ts";
import * as store from "./target-store.ts";

export interface TargetInput {
  readonly purpose: Purpose;
  /** With `kind`; secrets in clear. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly format?: Format | undefined;
  readonly minSeverity?: string | undefined;
  readonly types?: readonly string[] | null | undefined;
}

export interface TestResult {
  readonly ok: boolean;
  readonly message: string;
  readonly ms: number;
}

export interface TargetsDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "seal" | "open">;
  readonly events: Pick<SecurityEvents, "record">;
  readonly origin: string;
  readonly fromEnv: readonly EnvTarget[];
  /** Sends at once, past the queue. */
  readonly send: (
    target: Pick<store.Target, "tenantId" | "format">,
    ready: { readonly purpose: Purpose; readonly config: TargetConfig },
    items: readonly Item[],
  ) => Promise<Sent>;
  readonly onChanged: () => void;
}

export interface Targets {
  /** Creates or replaces. Errors: TARGET_INVALID with every problem, TARGET_OF_ENVIRONMENT. */
  put(caller: Caller, name: string, input: TargetInput): Promise<store.Target>;
  list(caller: Caller): Promise<store.QueuedTarget[]>;
  /** Errors: TARGET_NOT_FOUND, as of all that follow. */
  find(caller: Caller, name: string): Promise<store.Target>;
  /** What is queued for it is dropped. Errors: TARGET_OF_ENVIRONMENT. */
  remove(caller: Caller, name: string): Promise<void>;
  /** Sends one sample and says what came of it. That the target refuses is a result. */
  test(caller: Caller, name: string): Promise<TestResult>;
  /** A paused target is queued for and not sent to. */
  setPaused(caller: Caller, name: string, paused: boolean): Promise<store.Target>;
  /** The configuration of a target with its secrets; undefined where this process cannot know it. */
  open(target: store.Target, sealed: Uint8Array | null): Promise<TargetConfig | undefined>;
}

const purposeOf = (id: string): string => `delivery.target:${id}`;

export function createTargets(deps: TargetsDeps): Targets {
  const { db } = deps;
  const env = new Map(deps.fromEnv.map((target) => [target.name, target.config]));
  const opened = new Map<string, { readonly at: number; readonly config: TargetConfig }>();

  const told = (tx: Tx, caller: Caller, type: EventType, target: store.Target): Promise<void> =>
    deps.events.record(tx, {
      tenantId: caller.tenantId,
      type,
      actor: caller,
      target: { kind: "target", id: target.name },
      details: { purpose: target.purpose, kind: target.kind },
    });
  const found = async (caller: Caller, name: string): Promise<store.Target> => {
    const [target] = await db.read(caller.tenantId, (reader) =>
      store.findTarget(reader, caller.tenantId, name),
    );
    if (!target) throw new OarsError("TARGET_NOT_FOUND", { name });
    return target;
  };
  const open = async (target: store.Target, sealed: Uint8Array | null): Promise<TargetConfig | undefined> => {
    if (target.fromEnv) return env.get(target.name);
    const known = opened.get(target.id);
    if (known?.at === target.updatedAt.getTime()) return known.config;
    if (sealed === null) return undefined;
    const text = await deps.vault.open(target.tenantId, purposeOf(target.id), sealed);
    const config = configSchemas[target.purpose].parse(JSON.parse(Buffer.from(text).toString("utf8")));
    opened.set(target.id, { at: target.updatedAt.getTime(), config });
    return config;
  };

  return {
    open,
    put: async (caller, name, input) => {
      requirePermission(caller, "siem:write");
      const { config, options } = readInput(input);
      const { tenantId } = caller;
      const [before] = await db.read(tenantId, (reader) => store.findTarget(reader, tenantId, name));
      const id = before?.id ?? newId();
      const sealed = await deps.vault.seal(tenantId, purposeOf(id), Buffer.from(JSON.stringify(config)));
      const values = {
        ...options,
        tenantId,
        id,
        name,
        purpose: input.purpose,
        kind: config.kind,
        config: shownConfig(config),
        sealed,
        fromEnv: false,
      };
      const put = await db.tx(tenantId, async (tx) => {
        const [target] = await store.putTarget(tx, values);
        if (target?.id !== id)
          throw new OarsError(target ? "PRECONDITION_FAILED" : "TARGET_OF_ENVIRONMENT", { name });
        await told(tx, caller, "delivery.target_changed", target);
        return target;
      });
      deps.onChanged();
      return put;
    },
    list: async (caller) => {
      requirePermission(caller, "siem:read");
      return db.read(caller.tenantId, (reader) => store.listTargets(reader, caller.tenantId));
    },
    find: async (caller, name) => {
      requirePermission(caller, "siem:read");
      return found(caller, name);
    },
    remove: async (caller, name) => {
      requirePermission(caller, "siem:write");
      if ((await found(caller, name)).fromEnv) throw new OarsError("TARGET_OF_ENVIRONMENT", { name });
      await db.tx(caller.tenantId, async (tx) => {
        const [gone] = await store.deleteTarget(tx, caller.tenantId, name);
        if (!gone) throw new OarsError("TARGET_NOT_FOUND", { name });
        await told(tx, caller, "delivery.target_deleted", gone);
      });
    },
    test: async (caller, name) => {
      requirePermission(caller, "siem:write");
      const target = await found(caller, name);
      const [row] = await db.read(caller.tenantId, (reader) =>
        store.findSealed(reader, caller.tenantId, name),
      );
      const config = await open(target, row?.sealed ?? null);
      if (config === undefined) throw new OarsError("TARGET_OF_ENVIRONMENT", { name });
      const started = performance.now();
      const item = target.purpose === "siem" ? sampleEvent(caller) : sampleAlert(caller, deps.origin);
      const sent = await deps.send(target, { purpose: target.purpose, config }, [item]);
      const ms = Math.round(performance.now() - started);
      return sent.kind === "delivered"
        ? { ok: true, message: "The target took it.", ms }
        : { ok: false, message: sent.message, ms };
    },
    setPaused: async (caller, name, paused) => {
      requirePermission(caller, "siem:write");
      const target = await db.tx(caller.tenantId, async (tx) => {
        const [moved] = await store.setState(tx, caller.tenantId, name, paused ? "paused" : "active");
        if (!moved) throw new OarsError("TARGET_NOT_FOUND", { name });
        await told(tx, caller, paused ? "delivery.paused" : "delivery.resumed", moved);
        return moved;
      });
      deps.onChanged();
      return target;
    },
  };
}

/** Throws TARGET_INVALID with every problem. A tenant may not write files of the server. */
function readInput(input: TargetInput) {
  const options = targetOptions.safeParse({
    format: input.format,
    minSeverity: input.minSeverity,
    types: input.types,
  });
  const config = configSchemas[input.purpose].safeParse(input.config);
  const errors: FieldProblem[] = [
    ...(options.success ? [] : options.error.issues.map((issue) => ({ issue, path: issue.path }))),
    ...(config.success
      ? []
      : config.error.issues.map((issue) => ({ issue, path: ["config", ...issue.path] }))),
  ].map(({ issue, path }) => ({ path: path.join("."), code: issue.code, message: issue.message }));
  if (config.success && config.data.kind === "file")
    errors.push({
      path: "config.kind",
      code: "forbidden",
      message: "files are configured in the environment",
    });
  if (errors.length > 0 || !options.success || !config.success)
    throw new OarsError("TARGET_INVALID", {}, { errors });
  return { config: config.data, options: options.data };
}

function sampleEvent(caller: Caller): Item {
  const at = new Date();
  const event = shownEvent({
    tenantId: caller.tenantId,
    id: newId(),
    type: "delivery.resumed",
    severity: "info",
    outcome: "success",
    actor: { id: caller.principalId, kind: caller.principalKind, name: caller.principalName },
    target: null,
    requestId: null,
    source: null,
    message: "This is a test of the delivery target.",
    details: { test: true },
    count: 1,
    firstAt: at,
    lastAt: at,
  });
  return { id: event.id, payload: { kind: "event", event } };
}

function sampleAlert(caller: Caller, origin: string): Item {
  const id = formatId("alert", newId());
  const at = new Date().toISOString();
  const alert: AlertNotice = {
    notice: "test",
    id,
    tenantId: formatId("tenant", caller.tenantId),
    key: "test",
    code: "TEST",
    severity: "low",
    message: "This is a test of the channel.",
    count: 1,
    link: `${origin}/v1/alerts/${id}`,
    openedAt: at,
    lastAt: at,
    details: {},
  };
  return { id, payload: { kind: "alert", alert } };
}
