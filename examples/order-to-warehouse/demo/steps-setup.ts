import { createClient, type PutConnectionRequest } from "@oars/sdk";
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
  const admin = createClient({ baseUrl: server.url, apiKey: key });
  const me = await admin.me.get();
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
  await admin.secrets.put("orders-hmac", secret);

  const { name, ...connection } = JSON.parse(await readExample("connection.json"));
  const { config, ...rest } = connection as PutConnectionRequest; // the shape of connection.json
  await admin.connections.put(name, { ...rest, config: { ...config, baseUrl: stage.warehouse.url } });

  const cedar = await readExample("policy.cedar");
  const checkedPolicy = await admin.policies.validate({ cedar });
  checks.that(checkedPolicy.valid, "policy.cedar fits the schema of this tenant", checkedPolicy.problems);
  const draft = await admin.policies.create({ cedar });
  const policy = await admin.policies.publish(draft.id);

  const yaml = await readExample("flow.yaml");
  const checkedFlow = await admin.flows.validate(yaml);
  checks.that(checkedFlow.valid, "flow.yaml is valid", checkedFlow.problems);
  const flow = await admin.flows.publish(yaml);

  const ana = await admin.principals.create({ name: "ana", kind: "user", roles: ["approver"] });
  const { key } = await admin.principals.issueKey(ana.id);
  print.fields([
    ["secret", "orders-hmac, what the shop signs its orders with"],
    ["connection", `${name}, reads the fact orderValueMinor from each request`],
    ["policy", `version ${policy.version}, ${policy.policies} rules, ${short(policy.digest)}`],
    ["flow", `${flow.flow} ${flow.version}, ${short(flow.hash)}`],
    ["approver", `ana, ${ana.id}`],
  ]);
  return {
    ...play,
    ana: createClient({ baseUrl: server.url, apiKey: present(key, "ana's key") }),
    shop: openShop(server.url, secret),
  };
}

const short = (digest: string): string => digest.slice(0, "sha256:".length + 12);
