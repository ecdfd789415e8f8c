/** What the governed call needs, made as a customer makes it: over the API. */

export interface Setup {
  readonly tenantId: string;
  /** Of an agent that a person answers for. */
  readonly agentKey: string;
}

export const connection = "wms0";
const tools = 25;

/** 100 policies, of which four fit any one tool: a bundle that has grown over years. Agent and owner are both asked about. */
function hundredPolicies(): string {
  return Array.from({ length: tools }, (_, index) => {
    const resource = `resource == Oars::Tool::"wms${index}/http.request"`;
    return `
@id("write-${index}") permit (principal, action == Oars::Action::"write", ${resource})
  when { context.risk < 90 };
@id("health-${index}") forbid (principal, action, ${resource})
  when { context.dataTypes.contains("health") && context.env == "production" };
@id("value-${index}") forbid (principal, action == Oars::Action::"write", ${resource})
  when { context.args has orderValueMinor && context.args.orderValueMinor > 5000000 };
@id("chain-${index}") forbid (principal, action in [Oars::Action::"write", Oars::Action::"delete"], ${resource})
  when { context.delegation.depth > 2 };`;
  }).join("\n");
}

/** An order as it goes to the warehouse, 300 bytes; each call has another number and value. */
const order = {
  orderId: "SO-2026-{n}",
  orderValueMinor: "{n}",
  currency: "EUR",
  customer: {
    name: "Ana Novak",
    street: "Dunajska cesta 1",
    postcode: "1000",
    city: "Ljubljana",
    country: "SI",
  },
  lines: [
    { sku: "A-1001", quantity: 3, priceMinor: 41_500 },
    { sku: "B-2002", quantity: 1, priceMinor: 60_000 },
  ],
  deliverBy: "2026-12-04",
};

/** The text of a body that holds the order, cut where its number stands. */
export const bodyWith = (wrap: (document: object) => object): string[] =>
  JSON.stringify(wrap(order)).replace('"{n}"', "{n}").split("{n}");

export async function setUp(url: string, adminKey: string, receiverUrl: string): Promise<Setup> {
  const ask = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const headers = { authorization: `Bearer ${adminKey}`, "content-type": "application/json" };
    const sent = body === undefined ? { headers: { authorization: headers.authorization } } : { headers };
    const answer = await fetch(`${url}${path}`, {
      method,
      ...sent,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return JSON.parse(text) as T; // by the API's contract
  };
  const facts = [{ name: "orderValueMinor", type: "long", path: "body.orderValueMinor" }];
  await ask("PUT", `/v1/connections/${connection}`, {
    connector: "http",
    config: { baseUrl: receiverUrl, idempotencyHeader: "Idempotency-Key", facts },
    environment: "production",
    risk: 40,
    dataTypes: ["order", "address"],
  });
  const draft = await ask<{ id: string; policies: number }>("POST", "/v1/policies", {
    cedar: hundredPolicies(),
  });
  if (draft.policies !== tools * 4) throw new Error(`the bundle holds ${draft.policies} policies`);
  await ask("POST", `/v1/policies/${draft.id}/publish`, {});
  const me = await ask<{ tenantId: string; principal: { id: string } }>("GET", "/v1/me");
  const agent = { name: "bench-agent", kind: "agent", roles: ["agent"], ownerId: me.principal.id };
  const { id } = await ask<{ id: string }>("POST", "/v1/principals", agent);
  const { key } = await ask<{ key: string }>("POST", `/v1/principals/${id}/keys`, { name: "bench" });
  return { tenantId: me.tenantId, agentKey: key };
}
