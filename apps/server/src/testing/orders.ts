/** examples/order-to-warehouse, set up in a database, and its orders sent as a shop sends them. */
import { readFile } from "node:fs/promises";
import { sign } from "#orchestrate/triggers";
import type { Database } from "#platform/db";
import { formatId } from "#platform/kernel";
import { joinTestApp, testKeys } from "./app.ts";
import { until } from "./until.ts";

const example = new URL("../../../../examples/order-to-warehouse/", import.meta.url);
const read = (name: string): Promise<string> => readFile(new URL(name, example), "utf8");
const secret = "a shared secret of the shop";

export interface Prepared {
  readonly tenantId: string;
  readonly adminKey: string;
  readonly approverKey: string;
}

/** Keys of the servers of tests, as `joinTestApp` has them, for those that run as processes. */
export const serverKeys = {
  OARS_DATA_ENCRYPTION_KEY: testKeys.dataEncryption.toString("base64"),
  OARS_JWT_SECRET: testKeys.jwt,
  OARS_PUBLIC_URL: "http://127.0.0.1:8080",
  OARS_EGRESS_ALLOW: "127.0.0.1/32",
} as const;

/** A tenant with an approver, the shop's secret, the warehouse's connection, the policy and the flow. */
export async function prepareOrders(db: Database, warehouse: string): Promise<Prepared> {
  const app = await joinTestApp(db);
  const first = await app.access.bootstrap("Orders");
  if (!first.created) throw new Error("the database is not empty");
  const { tenantId } = first;
  const admin = await app.access.authenticate(`Bearer ${first.apiKey}`);
  const ana = await app.access.createPrincipal(admin, { name: "ana", kind: "user", roles: ["approver"] });
  const { key: approverKey } = await app.access.issueKey(admin, ana.id);
  await app.db.tx(tenantId, (tx) =>
    app.vault.putSecret(tx, tenantId, "orders-hmac", secret, admin.principalId),
  );
  await app.connectors.put(admin, await warehouseConnection(warehouse));
  const bundle = await app.policy.createVersion(admin, { cedar: await read("policy.cedar") });
  await app.policy.publish(admin, bundle.id);
  await app.flows.publish(admin, await read("flow.yaml"));
  await app.stop();
  return { tenantId: formatId("tenant", tenantId), adminKey: first.apiKey, approverKey };
}

/** The example's connection to this warehouse. */
export async function warehouseConnection(warehouse: string) {
  const connection = JSON.parse(await read("connection.json"));
  connection.config.baseUrl = warehouse;
  return connection;
}

export interface Order {
  readonly documentId: string;
  readonly webhookId: string;
  readonly xml: string;
}

/** Orders with ids of their own; large ones need an approver. */
export async function makeOrders(prefix: string, small: number, large: number): Promise<Order[]> {
  const of = async (document: string, id: string, count: number): Promise<Order[]> => {
    const text = await read(`documents/${document}`);
    if (!text.includes(id)) throw new Error(`${document} has no ${id}`);
    return Array.from({ length: count }, (_, n) => {
      const documentId = `${prefix}-${document.slice(0, 2)}-${n}`;
      return { documentId, webhookId: `msg_${documentId}`, xml: text.replaceAll(id, documentId) };
    });
  };
  const idOf = async (document: string): Promise<string> =>
    /<DocumentId>([^<]+)</.exec(await read(`documents/${document}`))?.[1] ?? "";
  return [
    ...(await of("03-large-value.xml", await idOf("03-large-value.xml"), large)),
    ...(await of("01-small.xml", await idOf("01-small.xml"), small)),
  ];
}

/** Posts an order; the run's id once it is acknowledged. Fails when the server is gone or refuses it. */
export async function post(url: string, { webhookId, xml }: Order): Promise<string> {
  const timestamp = Math.floor(Date.now() / 1000);
  const answer = await fetch(`${url}/api/webhook/orders`, {
    method: "POST",
    body: xml,
    headers: {
      "content-type": "application/xml",
      "webhook-id": webhookId,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": `v1,${sign(secret, webhookId, timestamp, Buffer.from(xml))}`,
    },
    signal: AbortSignal.timeout(20_000),
  });
  const { status } = answer;
  if (status === 429 || status === 503) throw new Error(`the server has no room: ${await answer.text()}`);
  if (status !== 202) throw new Error(`the order was refused: ${await answer.text()}`);
  return ((await answer.json()) as { runId: string }).runId;
}

/** Posts until it is acknowledged, as a shop does whose warehouse is away for a moment. */
export const insist = (url: () => string, order: Order): Promise<string> =>
  until(
    `order ${order.documentId}`,
    () =>
      post(url(), order).catch((error: Error) => {
        if (error.message.includes("refused:")) throw error;
        return undefined;
      }),
    60_000,
    100,
  );
