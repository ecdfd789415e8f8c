/** The rooms that sign, over one database, without the rest of the server. */
import { pino } from "pino";
import { type Database, openDatabase, WriteSet } from "../../apps/server/src/platform/db/index.ts";
import { systemClock } from "../../apps/server/src/platform/kernel/index.ts";
import { createVault } from "../../apps/server/src/platform/vault/index.ts";
import { createLog, type Log } from "../../apps/server/src/sign/log/index.ts";
import { createReceipts, createSigners, type Receipts } from "../../apps/server/src/sign/receipts/index.ts";
import { startDatabases } from "./databases.ts";
import type { Store } from "./options.ts";
import { temporaryDirectory } from "./temporary.ts";

export interface House extends AsyncDisposable {
  readonly db: Database;
  readonly log: Log;
  readonly receipts: Receipts;
  /** Signs one receipt as the gate does for a decision, and waits until it is durable. */
  add(tenantId: string): Promise<string>;
}

export async function openHouse(store: Store): Promise<House> {
  const databases = store === "postgres" ? await startDatabases() : undefined;
  const url = await databases?.create("oars_sign");
  const db = await openDatabase({
    store:
      url === undefined
        ? { kind: "pglite", dataDir: await temporaryDirectory("sign") }
        : { kind: "postgres", url, poolSize: 10 },
  });
  const vault = createVault({ db, kek: new Uint8Array(32).fill(1) });
  const origin = "https://bench.example";
  const signers = createSigners({ db, vault, origin });
  const shared = { db, vault, origin, signers, clock: systemClock };
  const log = createLog({ ...shared, log: pino({ level: "warn" }) });
  const receipts = createReceipts({ ...shared, onAdded: log.wake });
  return {
    db,
    log,
    receipts,
    add: async (tenantId) => {
      const set = new WriteSet();
      const { receiptId } = await receipts.add(set, decision(tenantId));
      const done = await db.committer.commit(set);
      if (!done.ok) throw new Error("a receipt was refused");
      return receiptId;
    },
    [Symbol.asyncDispose]: async () => {
      await log.stop();
      await db.close();
      await databases?.[Symbol.asyncDispose]();
    },
  };
}

const digest = `sha256:${"0".repeat(64)}`;

const decision = (tenantId: string) =>
  ({
    tenantId,
    type: "action.decision",
    action: { id: tenantId, server: "wms", tool: "wms/http.request", operation: "write", digest },
    principal: { id: tenantId, kind: "agent" },
    decision: { effect: "allow", reasons: ["wms-all"], policy: { bundle: digest, engine: "cedar" } },
    disclose: { args: { sku: "A-1", quantity: 3 } },
  }) as const;
