/**
 * Part: the real server, embedded or on PostgreSQL, and beside it in the same process an endpoint that
 * forwards a body through the same dialer and returns the answer: no policy, no database, no receipts.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { sql } from "../../apps/server/src/platform/db/index.ts";
import { isOarsError, newId, parseId } from "../../apps/server/src/platform/kernel/index.ts";
import type { Dialer } from "../../apps/server/src/platform/net/index.ts";
import type { Serving } from "../../apps/server/src/serve.ts";
import { bodyOf, listen } from "./http.ts";
import { answerCalls } from "./part.ts";
import { startServer } from "./started-server.ts";

export interface ServerFacts {
  readonly url: string;
  /** Where a body goes out without being governed. */
  readonly plainUrl: string;
  readonly adminKey: string | undefined;
  readonly store: Readonly<Record<string, string>>;
}

export interface ActionCounts {
  readonly actions: number;
  readonly completed: number;
  readonly receipts: number;
  /** Leaves that the newest signed checkpoint covers. */
  readonly logged: number;
  /** Receipts that waited for the log when the load ended, and how long the log took for them. */
  readonly behind: number;
  readonly drainMs: number;
}

function createPart() {
  let serving: Serving | undefined;
  const required = (): Serving => {
    if (!serving) throw new Error("open comes first");
    return serving;
  };
  const calls = {
    open: async (
      url: string | null,
      receiverUrl: string,
      env: Readonly<Record<string, string>>,
    ): Promise<ServerFacts> => {
      const started = await startServer(url, { OARS_EGRESS_ALLOW: "127.0.0.1/32", ...env });
      serving = started.serving;
      const { app } = serving;
      const [store] = await app.db.system.query<Record<string, string>>(
        sql`select current_setting('server_version') as version, current_setting('fsync') as fsync`,
      );
      const plainUrl = await listen(createServer(forwarder(app.dialer, receiverUrl)));
      return { url: serving.url, plainUrl, adminKey: started.adminKey, store: store ?? {} };
    },
    /** CPU time of this process so far, in microseconds. */
    cpu: async (): Promise<number> => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    counts: (tenantId: string): Promise<ActionCounts> => count(required(), parseId("tenant", tenantId) ?? ""),
  };
  return { calls, close: async () => serving?.stop() };
}

const forwarder = (dialer: Dialer, url: string) => {
  const tenantId = newId();
  const headers = { "content-type": "application/json", accept: "application/json" };
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const answer = await dialer.request({ method: "POST", url, headers, body, timeoutMs: 30_000, tenantId });
    response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
  };
};

async function count({ app }: Serving, tenantId: string): Promise<ActionCounts> {
  const pending = sql`select count(*) as n from receipt_pending where tenant_id = ${tenantId}`;
  const [waiting] = await app.db.system.query<{ n: number }>(pending);
  const started = performance.now();
  for (let drained = false; !drained; ) {
    drained = await app.log.sequenceNow(tenantId).then(
      () => true,
      (error) => {
        if (isOarsError(error) && error.code === "RECEIPT_NOT_LOGGED") return false; // says so after 2 s
        throw error;
      },
    );
  }
  const drainMs = performance.now() - started;
  const [counts] = await app.db.system.query<Pick<ActionCounts, "actions" | "completed" | "receipts">>(sql`
    select (select count(*) from action where tenant_id = ${tenantId}) as actions,
      (select count(*) from action where tenant_id = ${tenantId} and state = 'completed') as completed,
      (select count(*) from receipt where tenant_id = ${tenantId} and action_id is not null) as receipts`);
  const [all] = await app.db.system.query<{ n: number }>(
    sql`select count(*) as n from receipt where tenant_id = ${tenantId} and action_id is null`,
  );
  if (!counts) throw new Error("a count has a row");
  const size = Number((await app.log.checkpoint(tenantId)).split("\n")[1]);
  return { ...counts, logged: size - (all?.n ?? 0), behind: waiting?.n ?? 0, drainMs };
}

const part = createPart();
export type ActionServer = typeof part.calls;
answerCalls(part.calls, part.close);
