/**
 * `npm run bench:approval`: two whole servers on one PostgreSQL race for the same approvals, round by round. Ends with
 * 1 when a round had another number of outcomes, uses or executions than one. `--rounds N` per race; 1,000 when absent.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import type { App } from "../../apps/server/src/compose.ts";
import { type RaceGround, races, runRace } from "../../apps/server/src/testing/approval-races.ts";
import { openOars } from "./contenders/oars-app.ts";
import { startDatabases } from "./databases.ts";
import { temporaryDirectory } from "./temporary.ts";

const policy = `
@id("all") permit (principal, action, resource);
@id("plain") @require_approval("approver:1") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/plain" } unless { context.approvals.count >= 1 };
@id("slow") @require_approval("workflow:slow") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/escalating" } unless { context.approvals.workflows.contains("slow") };
`;

const { values } = parseArgs({ options: { rounds: { type: "string", default: "1000" } } });
const times = Number(values.rounds);
if (!(Number.isInteger(times) && times > 0)) throw new RangeError("--rounds must be a whole number above 0");

async function groundOn(url: string, apps: readonly [App, App], dataUrl: string): Promise<RaceGround> {
  const [app] = apps;
  const first = await app.db.system.query<{ tenantId: string; id: string }>({
    text: `/* bench.firstAdmin */ select tenant_id as "tenantId", id from principal order by id limit 1`,
    values: [],
  });
  const who = first[0];
  if (!who) throw new Error(`there is nobody in ${url}`);
  const admin = await app.access.callerFor(who.tenantId, who.id);
  const person = async (name: string, roles: string[]) => {
    const made = await app.access.createPrincipal(admin, { name, kind: "user", roles });
    return app.access.callerFor(admin.tenantId, made.id);
  };
  const approvers = [await person("ana", ["approver"]), await person("ben", ["approver"])] as const;
  const deputy = await person("deputy", ["admin"]);
  await app.connectors.put(admin, {
    name: "wms",
    connector: "http",
    config: { baseUrl: dataUrl, idempotencyHeader: "Idempotency-Key" },
    environment: "test",
    risk: 10,
  });
  const stage = {
    name: "slow",
    mode: "serial",
    approvers: ["role:approver"],
    requiredApprovals: 1,
    alongside: false,
    slaSeconds: 3600,
    escalateTo: ["role:admin"],
  } as const;
  await app.workflows.put(admin, "slow", { description: "", stages: [stage] });
  await app.policy.publish(admin, (await app.policy.createVersion(admin, { cedar: policy })).id);
  let n = 0;
  return {
    apps,
    requester: admin,
    approvers,
    deputy,
    hold: async (kind) => {
      const input = { method: "POST", path: `/${kind}`, body: { n: ++n } };
      const held = await app.actions.submit(admin, { connection: "wms", operation: "http.request", input });
      if (held.approvalId === null) throw new Error(`not held: ${held.state}`);
      return { id: held.id, approvalId: held.approvalId };
    },
  };
}

/** Counts what arrives, by the key that it carries. */
async function startReceiver() {
  const seen = new Map<string, number>();
  const server = createServer((req, res) => {
    const key = String(req.headers["idempotency-key"] ?? "");
    seen.set(key, (seen.get(key) ?? 0) + 1);
    req.resume().on("end", () => res.writeHead(201, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo; // it listens on a port
  return { seen, url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

await using databases = await startDatabases();
const url = await databases.create("approvals");
const receiver = await startReceiver();
const dataDir = await temporaryDirectory("oars");
const env = { OARS_EGRESS_ALLOW: "127.0.0.1/32" };
const [one, two] = [await openOars({ url, dataDir, env }), await openOars({ url, dataDir, env })];
const ground = await groundOn(url, [one.app, two.app], receiver.url);
let wrong = 0;
console.log("| race | rounds | executions | ends | broken |\n| --- | ---: | ---: | --- | ---: |");
for (const race of races) {
  const { rounds, ends, executions, broken } = await runRace(ground, race, times);
  const told = Object.entries(ends).map(([state, n]) => `${n} ${state}`);
  console.log(`| ${race} | ${rounds} | ${executions} | ${told.join(", ")} | ${broken} |`);
  const all = Object.values(ends).reduce((sum, n) => sum + n, 0);
  if (broken !== 0 || all !== rounds) wrong++;
}
const doubled = [...receiver.seen.values()].filter((n) => n > 1).length;
console.log(`\nRequests that arrived: ${receiver.seen.size}, of which twice or more: ${doubled}`);
receiver.close();
await Promise.all([one.app.stop(), two.app.stop()]);
process.exitCode = wrong > 0 || doubled > 0 ? 1 : 0;
