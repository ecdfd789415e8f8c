import type { CompiledFlow, Flows, FlowVersion } from "#orchestrate/flows";
import type { Runs, TriggeredAnswer } from "#orchestrate/runs";
import type { Caller } from "#platform/access";
import { requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import { type Clock, type Fault, OarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import type { Delivery } from "./delivery.ts";
import { receive } from "./receive.ts";
import { createSlugCache } from "./slug-cache.ts";
import { listWebhooks, putWebhook, retireOthers, type Webhook } from "./store.ts";

export interface TriggersDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly vault: Pick<Vault, "readSecret">;
  readonly flows: Pick<Flows, "compiled">;
  readonly runs: Pick<Runs, "startTriggered" | "answerTriggered">;
  readonly fault: Fault;
}

export interface Triggers {
  /**
   * Starts the slug's flow; the run is durable before the answer, and a delivery with the same webhook-id
   * answers with the first one's run. Where the webhook responds with the run's end, it waits for that as long as
   * the webhook says, or until its sender has gone away. Errors: WEBHOOK_*, RUN_PARAMS_INVALID, SERVER_BUSY,
   * what `admit` throws.
   */
  receive(delivery: Delivery): Promise<TriggeredAnswer>;
  list(caller: Caller): Promise<Webhook[]>;
  /** Points the version's slugs at it, and retires those that it gave up. Errors: WEBHOOK_SLUG_TAKEN. */
  register(
    tx: Tx,
    caller: Caller,
    version: Pick<FlowVersion, "name" | "version" | "hash">,
    flow: CompiledFlow,
  ): Promise<void>;
  /** From now on it hears of slugs that other processes publish; without it they are news after 5 s. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Hints that slugs were published. */
const channel = "webhook";

export function createTriggers(deps: TriggersDeps): Triggers {
  const { db } = deps;
  const slugs = createSlugCache();
  const known = { slugs, targets: new WeakMap() };
  let unlisten = async (): Promise<void> => {};
  return {
    receive: (delivery) => receive(deps, known, delivery),
    list: async (caller) => {
      requirePermission(caller, "webhooks:read");
      return db.read(caller.tenantId, (reader) => listWebhooks(reader, caller.tenantId));
    },
    register: async (tx, caller, version, flow) => {
      const changed = await register(tx, caller, version, flow);
      if (!changed) return;
      tx.onCommit(() => {
        slugs.forget();
        db.notify(channel, "");
      });
    },
    start: async () => {
      unlisten = await db.listen(channel, slugs.forget);
    },
    stop: () => unlisten(),
  };
}

/** False: the flow has no webhooks and had none. */
async function register(
  tx: Tx,
  caller: Caller,
  version: Pick<FlowVersion, "name" | "version" | "hash">,
  flow: CompiledFlow,
): Promise<boolean> {
  const { tenantId, principalId } = caller;
  const keep = flow.webhooks.map((w) => w.slug);
  const retired = await retireOthers(tx, tenantId, version.name, keep);
  for (const { slug, secret } of flow.webhooks) {
    const holder = await putWebhook(tx, {
      tenantId,
      slug,
      flow: version.name,
      version: version.version,
      flowHash: version.hash,
      secret,
      principalId,
    });
    if (holder !== undefined) throw new OarsError("WEBHOOK_SLUG_TAKEN", { slug, flow: holder });
  }
  return keep.length > 0 || retired.length > 0;
}
