/**
 * Where trials take place: a database, the outside world, people who answer whatever they are asked, and workers
 * that come and go. One world serves many trials; each has flows and runs of its own.
 */
import type { Caller } from "#platform/access";
import { type Database, sql } from "#platform/db";
import { type FaultPoint, formatId } from "#platform/kernel";
import type { App } from "../compose.ts";
import { joinTestApp } from "./app.ts";
import { type DriverName, openTestDatabase } from "./index.ts";
import { type Received, startReceiver } from "./receiver.ts";
import { stagePolicy } from "./stage.ts";
import type { Sent } from "./trial-audit.ts";
import { type Fate, KilledAt, startTrialWorker, type TrialWorker } from "./trial-worker.ts";

export interface Chance {
  readonly fate: (worker: string, statement: string) => Fate;
  readonly kills: (point: FaultPoint) => boolean;
}

export interface World {
  readonly driver: DriverName;
  readonly db: Database;
  /** A process that serves people and drives no runs. It never dies. */
  readonly door: App;
  readonly admin: Caller;
  readonly approver: Caller;
  readonly workers: readonly TrialWorker[];
  readonly sent: readonly Sent[];
  /** Steps whose requests are taken from now on, by run. */
  repair(runId: string, step: string): void;
  /** Decides what becomes of the workers' writes, and where they die, until it is called with undefined. */
  mislead(chance: Chance | undefined): void;
  /** Starts as many workers as there should be. */
  staff(): Promise<void>;
  /** Workers look for what is new. */
  rouse(): void;
  close(): Promise<void>;
}

export async function openWorld(driver: DriverName, staffed = driver === "postgres" ? 2 : 1): Promise<World> {
  const opened = await openTestDatabase(driver);
  const receiver = await startReceiver();
  let chance: Chance | undefined;
  const door = await joinTestApp(opened.database, {
    fault: (point) => {
      if (chance?.kills(point)) throw new KilledAt(point); // whoever asked has no answer
    },
  });
  const { admin, approver } = await prepare(door, receiver.url);
  const sent: Sent[] = [];
  const repaired = new Set<string>();
  receiver.answer((request) => reply(request, sent, repaired));
  const workers: TrialWorker[] = [];
  const leaving: Promise<void>[] = [];
  const bury = (id: string): void => {
    const at = workers.findIndex((w) => w.id === id);
    const [dead] = at < 0 ? [] : workers.splice(at, 1);
    if (dead) leaving.push(dead.stop());
  };
  const hooks = {
    fate: (worker: string, statement: string): Fate => chance?.fate(worker, statement) ?? "done",
    kills: (point: FaultPoint): boolean => chance?.kills(point) ?? false,
    onDeath: bury,
  };
  let staffing: Promise<void> | undefined;
  const staffUp = async (): Promise<void> => {
    for (let tries = 0; workers.length < staffed; tries++) {
      if (tries > 20) throw new Error("no worker stays");
      const worker = await startTrialWorker(opened, hooks);
      if (!worker.dead()) workers.push(worker);
      else leaving.push(worker.stop());
    }
  };
  return {
    driver,
    db: opened.database,
    door,
    admin,
    approver,
    workers,
    sent,
    repair: (runId, step) => void repaired.add(`${formatId("run", runId)}/${step}`),
    mislead: (how) => {
      chance = how;
    },
    staff: () => {
      staffing ??= staffUp().finally(() => {
        staffing = undefined;
      });
      return staffing;
    },
    rouse: () => {
      for (const { app } of workers) {
        app.outbox.wake();
        app.engine.wake();
      }
    },
    close: async () => {
      chance = undefined;
      await Promise.all(workers.splice(0).map((w) => w.stop()));
      await Promise.all(leaving);
      await receiver.close();
      await door.stop();
      await opened.close();
    },
  };
}

async function prepare(door: App, receiver: string): Promise<{ admin: Caller; approver: Caller }> {
  const first = await door.access.bootstrap("Trials");
  if (!first.created) throw new Error("the database is not empty");
  const admin = await door.access.authenticate(`Bearer ${first.apiKey}`, undefined);
  const facts = [{ name: "hold", type: "bool", path: "body.hold" }];
  for (const [name, key] of [
    ["wms", { idempotencyHeader: "Idempotency-Key" }],
    ["mail", {}],
  ] as const)
    await door.connectors.put(admin, {
      name,
      connector: "http",
      config: { baseUrl: receiver, ...key, facts },
      environment: "test",
      risk: 10,
    });
  const { id } = await door.policy.createVersion(admin, {
    cedar: stagePolicy().split('@id("denied")')[0] ?? "",
  });
  await door.policy.publish(admin, id);
  const made = await door.access.createPrincipal(admin, { name: "ana", kind: "user", roles: ["approver"] });
  return { admin, approver: await door.access.callerFor(admin.tenantId, made.id) };
}

/** What a plan says of the step; a step that was repaired is taken. */
function reply(
  request: Received,
  sent: Sent[],
  repaired: ReadonlySet<string>,
): { readonly status: number; readonly body: unknown } {
  const { k, v, reply: how } = request.body as { k: string; v: string; reply: string }; // as plan.ts writes it
  const [run = "", step = ""] = k.split("/");
  const again = sent.some((s) => s.request.key === request.key && (s.request.body as { k: string }).k === k);
  const mended = repaired.has(`${run}/${step}`);
  const status =
    mended || how === "ok" || (how === "busy-once" && again) ? 201 : how === "refuse" ? 422 : 503;
  sent.push({ request, taken: status === 201 });
  return { status, body: { r: v } };
}

/** Makes come now what would come by itself in time: handed-back runs, postponed events, events of the dead. */
export async function hurry(db: Database): Promise<void> {
  await db.system.query(sql`update outbox set available_at = now() where available_at > now()`);
  await db.system.query(
    sql`update run set available_at = now() where status = 'queued' and available_at > now()`,
  );
}

/** Calls whose beginning or end was lost with an answer are found long after their time: let that be now. */
export async function findLost({ db, door }: World): Promise<void> {
  await db.system.query(
    sql`update action set started_at = now() - interval '1 hour' where state = 'executing'`,
  );
  await door.actions.sweep(100);
}
