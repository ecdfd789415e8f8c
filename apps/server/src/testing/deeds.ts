/** What tests of actions over the API need: the server, a receiver behind `wms`, a policy, and people with keys. */
import { type Answered, startTestApi, type TestApi, type TestApiOptions } from "./api.ts";
import type { DriverName } from "./index.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { until } from "./until.ts";

/** What `body` says decides: `hold` waits for an approver, `deny` is refused, `odd` is quarantined; so is `pii` refused. */
const policy = `
@id("all") permit (principal, action, resource);
@id("held") @require_approval("approver:1") @ttl("PT1H") forbid (principal, action, resource)
  when { context.args has hold && context.args.hold } unless { context.approvals.count >= 1 };
@id("denied") forbid (principal, action, resource) when { context.args has deny && context.args.deny };
@id("odd") @quarantine forbid (principal, action, resource) when { context.args has odd && context.args.odd };
@id("pii") forbid (principal, action, resource) when { context.dataTypes.contains("pii") };
`;

export interface Person {
  readonly id: string;
  readonly key: string;
}

export interface Deeds {
  readonly api: TestApi;
  readonly receiver: Receiver;
  person(
    name: string,
    role: string,
    more?: { readonly kind?: "user" | "agent" | "service"; readonly ownerId?: string },
  ): Promise<Person>;
  /** Proposes a POST to `wms` with that body. */
  propose(
    body: Record<string, unknown>,
    how?: {
      readonly key?: string;
      readonly prefer?: string;
      readonly idempotencyKey?: string;
      readonly more?: Record<string, unknown>;
    },
  ): Promise<Answered>;
  show(id: string, key?: string): Promise<Answered>;
  /** The action, as an administrator sees it, once it has this state. */
  reach(id: string, state: string): Promise<Answered["json"]>;
  vote(approvalId: string, decision: "approve" | "reject", key: string): Promise<Answered>;
  close(): Promise<void>;
}

export async function openDeeds(driver: DriverName, options: TestApiOptions = {}): Promise<Deeds> {
  const api = await startTestApi(driver, options);
  const receiver = await startReceiver();
  const config = {
    baseUrl: receiver.url,
    idempotencyHeader: "Idempotency-Key",
    facts: ["hold", "deny", "odd"].map((name) => ({ name, type: "bool", path: `body.${name}` })),
  };
  await api.ask(
    "PUT",
    "/v1/connections/:name",
    { connector: "http", config, environment: "test", risk: 10, dataTypes: ["orders"] },
    { name: "wms" },
  );
  const made = await api.ask("POST", "/v1/policies", { cedar: policy });
  await api.ask("POST", "/v1/policies/:id/publish", {}, { id: made.json.id });
  const show: Deeds["show"] = (id, key) =>
    api.ask("GET", "/v1/actions/:id", undefined, { id, ...(key === undefined ? {} : { key }) });
  return {
    api,
    receiver,
    person: async (name, role, more = {}) => {
      const { access, admin } = api.app;
      const made = await access.createPrincipal(admin, { name, kind: "user", roles: [role], ...more });
      return { id: made.id, key: (await access.issueKey(admin, made.id, {})).key };
    },
    propose: (body, { key, prefer, idempotencyKey, more } = {}) =>
      api.ask(
        "POST",
        "/v1/actions",
        {
          connection: "wms",
          operation: "http.request",
          input: { method: "POST", path: "/orders", body },
          ...more,
        },
        key === undefined ? {} : { key },
        {
          ...(prefer === undefined ? {} : { prefer }),
          ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
        },
      ),
    show,
    reach: (id, state) =>
      until(state, async () => {
        const { json } = await show(id);
        return json.state === state && json;
      }),
    vote: (id, decision, key) =>
      api.ask("POST", "/v1/approvals/:id/decision", { decision, reason: "looked at it" }, { id, key }),
    close: async () => {
      await receiver.close();
      await api.close();
    },
  };
}
