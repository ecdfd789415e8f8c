/** Where the demo plays: its temporary directory, the warehouse system and the server that runs now. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OarsClient } from "@oars/sdk";
import type { Checks } from "./check.ts";
import type { Shop } from "./orders.ts";
import type { Printer } from "./print.ts";
import { openWarehouse, type Warehouse } from "./receiver.ts";
import { freePort, type OarsServer, type Place, startServer } from "./server.ts";

export interface Stage extends AsyncDisposable {
  readonly place: Place;
  readonly warehouse: Warehouse;
  /** Starts the server on the stage's data directory: the first time, and again after it ended. */
  start(): Promise<OarsServer>;
  /** Rejects when a server of this stage ends on its own. */
  readonly broken: Promise<never>;
}

/** What the steps after the setup work with. */
export interface Play {
  readonly stage: Stage;
  readonly print: Printer;
  readonly checks: Checks;
  readonly server: OarsServer;
  readonly tenantId: string;
  /** As the administrator. */
  readonly admin: OarsClient;
  /** As ana, the approver. */
  readonly ana: OarsClient;
  readonly shop: Shop;
}

/** Disposing ends whatever runs and removes the directory, unless `keep`. */
export async function openStage(keep: boolean): Promise<Stage> {
  const place = { dir: await mkdtemp(join(tmpdir(), "oars-demo-")), port: await freePort() };
  const removeAtOnce = (): void => {
    if (!keep) rmSync(place.dir, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once("exit", removeAtOnce);
  const warehouse = await openWarehouse();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // heard where the steps run
  let current: OarsServer | undefined;
  return {
    place,
    warehouse,
    broken: broken.promise,
    start: async () => {
      const server = await startServer(place);
      server.died.catch(broken.reject);
      current = server;
      return server;
    },
    [Symbol.asyncDispose]: async () => {
      await current?.kill();
      await warehouse.close();
      if (!keep) await rm(place.dir, { recursive: true, force: true, maxRetries: 5 });
      process.off("exit", removeAtOnce);
    },
  };
}
