/** What most tests of runs and actions need besides the server: a receiver, connections to it, a policy, people. */
import type { RunWithSteps } from "#orchestrate/runs";
import type { Caller } from "#platform/access";
import type { App } from "../compose.ts";
import { startTestApp, startWorker, type TestAppOptions } from "./app.ts";
import { type DriverName, openTestDatabase, type TestDatabase } from "./index.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { until } from "./until.ts";

/** Everything is allowed, but what is sent with `"hold": true` waits for an approver and `"deny": true` is refused. */
export const stagePolicy = (ttl = "PT1H", quorum = 1): string => `
@id("all") permit (principal, action, resource);
@id("held") @require_approval("approver:${quorum}") @ttl("${ttl}")
forbid (principal, action, resource)
  when { context.args has hold && context.args.hold }
  unless { context.approvals.count >= ${quorum} };
@id("denied") forbid (principal, action, resource) when { context.args has deny && context.args.deny };
`;

export interface Stage {
  readonly app: App;
  readonly opened: TestDatabase;
  readonly receiver: Receiver;
  /** The administrator of the first tenant. */
  readonly admin: Caller;
  readonly approver: Caller;
  readonly approver2: Caller;
  caller(name: string, roles: readonly string[]): Promise<Caller>;
  /** A connection to the receiver; without `idempotent` the other side takes no key. */
  connect(name: string, how?: { readonly idempotent?: boolean; readonly path?: string }): Promise<void>;
  publishPolicy(cedar: string): Promise<void>;
  /** Publishes a flow and starts it. */
  run(flow: string, params?: Record<string, unknown>): Promise<string>;
  /** The run once it has one of these statuses. */
  reach(runId: string, ...statuses: string[]): Promise<RunWithSteps>;
  close(): Promise<void>;
}

/**
 * The whole server over a fresh database, with connections `wms` (takes keys) and `mail` (does not). On
 * PostgreSQL its connections are fenced as those of a process are.
 */
export async function openStage(driver: DriverName, options: TestAppOptions = {}): Promise<Stage> {
  const opened = await openTestDatabase(driver);
  const { app, admin, stop } = await begin(opened, options);
  const receiver = await startReceiver();
  const caller = async (name: string, roles: readonly string[]): Promise<Caller> => {
    const made = await app.access.createPrincipal(admin, { name, kind: "user", roles: [...roles] });
    return app.access.callerFor(admin.tenantId, made.id);
  };
  const connect: Stage["connect"] = async (name, { idempotent = true, path = "" } = {}) => {
    await app.connectors.put(admin, {
      name,
      connector: "http",
      config: {
        baseUrl: `${receiver.url}${path}`,
        ...(idempotent ? { idempotencyHeader: "Idempotency-Key" } : {}),
        facts: [
          { name: "hold", type: "bool", path: "body.hold" },
          { name: "deny", type: "bool", path: "body.deny" },
        ],
      },
      environment: "test",
      risk: 10,
    });
  };
  const publishPolicy = async (cedar: string): Promise<void> => {
    const { id } = await app.policy.createVersion(admin, { cedar });
    await app.policy.publish(admin, id);
  };
  await connect("wms");
  await connect("mail", { idempotent: false });
  await publishPolicy(stagePolicy());
  return {
    app,
    opened,
    receiver,
    admin,
    approver: await caller("ana", ["approver"]),
    approver2: await caller("ben", ["approver"]),
    caller,
    connect,
    publishPolicy,
    run: async (flow, params = {}) => {
      const { name } = await app.flows.publish(admin, flow);
      return (await app.runs.start(admin, { flow: name, params })).id;
    },
    reach: (runId, ...statuses) => reach(app, admin, runId, ...statuses),
    close: async () => {
      await receiver.close();
      await stop();
      await opened.close();
    },
  };
}

async function begin(
  opened: TestDatabase,
  options: TestAppOptions,
): Promise<{ app: App; admin: Caller; stop: () => Promise<void> }> {
  if (opened.url === null) {
    const app = await startTestApp(opened.database, options);
    return { app, admin: app.admin, stop: app.stop };
  }
  const { app, stop } = await startWorker(opened, options);
  const first = await app.access.bootstrap("Test tenant");
  if (!first.created) throw new Error("the test database is not empty");
  const admin = await app.access.authenticate(`Bearer ${first.apiKey}`, undefined);
  await app.start();
  return { app, admin, stop };
}

/** The run once it has one of these statuses; fails at once when it has ended in another. */
export async function reach(
  app: Pick<App, "runs">,
  caller: Caller,
  runId: string,
  ...statuses: string[]
): Promise<RunWithSteps> {
  return until(`run ${runId} ${statuses.join(" or ")}`, async () => {
    const run = await app.runs.find(caller, runId);
    if (statuses.includes(run.status)) return run;
    if (["completed", "failed", "aborted"].includes(run.status))
      throw new Error(`the run has ended ${run.status}: ${JSON.stringify(run.error)}`);
    return undefined;
  });
}
