import type { HealthReport } from "#doors/http";
import { sql } from "#platform/db";
import type { App } from "./compose.ts";

/** Whether this process can do its work, and what of it cannot. Anonymous callers read it: nothing internal in it. */
export async function checkHealth(app: Pick<App, "db" | "engine">): Promise<HealthReport> {
  const started = performance.now();
  const database = await app.db.system.query(sql`/* health.ping */ select 1 as one`).then(
    () => ({ name: "database", ok: true, ms: Math.round(performance.now() - started) }),
    () => ({ name: "database", ok: false, detail: "does not answer" }),
  );
  const engine = { name: "engine", ok: true, detail: `${app.engine.inHand()} runs in hand` };
  return { ready: database.ok, checks: [database, engine] };
}
