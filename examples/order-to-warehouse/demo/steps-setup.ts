import type { PutConnectionRequest } from "@oars/contract";
import { createApi } from "./api.ts";
import { type Checks, present } from "./check.ts";
import { openShop, readExample } from "./orders.ts";
import type { Printer } from "./print.ts";
import type { Play, Stage } from "./stage.ts";

/** Two processes: the warehouse system inside the demo, and the server as a child on an empty directory. */
export async function startBoth(stage: Stage, print: Printer, checks: Checks): Promise<Play> {
  print.step("A warehouse system and an OARS server");
  print.say("starting the server on an empty data directory (embedded database) ...");
  const server = await stage.start();
  print.fields([
    ["warehouse", `${stage.warehouse.url}/shipments`],
    ["OARS", `${server.url}  pid ${server.pid}`],
    ["data", `${stage.place.dir}`],
  ]);
  print.figures([["ready after, ms", server.ms]]);
  const key = present(server.adminKey, "the administrator's key in the banner of the first start");
  const admin = createApi(server.url, key);
  const me = await admin.me();
  checks.that(
    me.roles.includes("platform_admin") || me.permissions.includes("flows:publish"),
    `the first start showed the administrator's key once; it is ${me.principal.name} of ${me.tenantId}`,
  );
  return {
    stage,
    print,
    checks,
    server,
    tenantId: me.tenantId,
    admin,
    ana: admin, // until she has a key of her own
    shop: openShop(server.url, ""),
  };
}

/** All that an operator sets up once: secret, connection, policy, flow, approver. */
export async function setUp(play: Play): Promise<Play> {
  const { admin, checks, print, server, stage } = play;
  print.step("Set up once: secret, connection, policy, flow, approver");
  const secret = crypto.randomUUID();
  await admin.putSecret("orders-hmac", secret);

  const { name, ...connection } = JSON.parse(await readExample("connection.json"));
  const { config, ...rest } = connection as PutConnectionRequest; // the shape of connection.json
  await admin.putConnection(name, { ...rest, config: { ...config, baseUrl: stage.warehouse.url } });

  const cedar = await readExample("policy.cedar");
  const checkedPolicy = await admin.validatePolicy(cedar);
  checks.that(checkedPolicy.valid, "policy.cedar fits the schema of this tenant", checkedPolicy.problems);
  const draft = await admin.draftPolicy(cedar);
  const policy = await admin.publishPolicy(draft.id);

  const yaml = await readExample("flow.yaml");
  const checkedFlow = await admin.validateFlow(yaml);
  checks.that(checkedFlow.valid, "flow.yaml is valid", checkedFlow.problems);
  const flow = await admin.publishFlow(yaml);

  const ana = await admin.createPerson("ana", ["approver"]);
  const { key } = await admin.issueKey(ana.id);
  print.fields([
    ["secret", "orders-hmac, what the shop signs its orders with"],
    ["connection", `${name}, reads the fact orderValueMinor from each request`],
    ["policy", `version ${policy.version}, ${policy.policies} rules, ${short(policy.digest)}`],
    ["flow", `${flow.flow} ${flow.version}, ${short(flow.hash)}`],
    ["approver", `ana, ${ana.id}`],
  ]);
  return {
    ...play,
    ana: createApi(server.url, present(key, "ana's key")),
    shop: openShop(server.url, secret),
  };
}

const short = (digest: string): string => digest.slice(0, "sha256:".length + 12);
