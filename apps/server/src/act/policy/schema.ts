/** The Cedar schema of namespace `Oars`, and the guard policies that no tenant can edit. */
import { digestOf } from "#platform/kernel";
import type { CounterSpec } from "./domain.ts";
import { cedarTypeOf, type FactSpec } from "./facts.ts";

export const guardPrefix = "guard-";
export const maxDelegationDepth = 5;

/**
 * The schema that a bundle is checked against. All facts are optional, so policies must ask
 * `context.args has amount` before they read one.
 *
 * `context.env` is a string and not an entity: an environment has no attributes and no parents of its own,
 * comparisons read plainly, and a request needs one entity less. In a scope it is an entity all the same
 * (`resource in Oars::Environment::"production"`), because a scope can be sliced and a condition cannot.
 *
 * `context.time` is `now` in UTC: hour 0-23, minute 0-59, weekday 1 (Monday) to 7. Counters are always there.
 */
export function schemaText(facts: readonly FactSpec[], counters: readonly CounterSpec[] = []): string {
  const args = facts.map((fact) => `      ${JSON.stringify(fact.name)}?: ${cedarTypeOf(fact)},`).join("\n");
  const counted = counters.map(({ name }) => `      ${JSON.stringify(name)}: __cedar::Long,`).join("\n");
  return `namespace Oars {
  entity Tenant;
  entity Environment in [Tenant];
  entity Connector in [Tenant];
  entity Group in [Tenant];
  entity Role;
  entity User in [Tenant, Group, Role] { kind: __cedar::String, owner?: User };
  entity Agent in [Tenant, Group, Role] { kind: __cedar::String, owner?: User };
  entity Service in [Tenant, Group, Role] { kind: __cedar::String, owner?: User };
  entity ToolGroup in [Tenant];
  entity Tool in [Connector, Environment, ToolGroup, Tenant] {
    connector: __cedar::String,
    connection: __cedar::String,
    operation: __cedar::String,
    environment: __cedar::String,
    risk: __cedar::Long,
    dataTypes: Set<__cedar::String>,
    known: __cedar::Bool,
  };
  type Request = {
    tenant: Tenant,
    env: __cedar::String,
    delegation: { user?: User, depth: __cedar::Long },
    operation: __cedar::String,
    target: __cedar::String,
    dataTypes: Set<__cedar::String>,
    now: __cedar::datetime,
    time: { hour: __cedar::Long, minute: __cedar::Long, weekday: __cedar::Long },
    risk: __cedar::Long,
    args: {
${args}
    },
    counters: {
${counted}
    },
    approvals: { count: __cedar::Long, roles: Set<__cedar::String>, workflows: Set<__cedar::String> },
  };
  action read, write, delete, execute, send, pay appliesTo {
    principal: [User, Agent, Service],
    resource: [Tool],
    context: Request,
  };
}
`;
}

export const schemaDigest = (facts: readonly FactSpec[], counters: readonly CounterSpec[] = []): string =>
  digestOf(schemaText(facts, counters));

/** Part of every slice of every tenant. Their ids begin with `guard-`, which tenants cannot use. */
export const guards: Readonly<Record<string, string>> = {
  "guard-cross-tenant": `@id("guard-cross-tenant")
@description("A principal acts only in its own tenant and only on that tenant's tools.")
forbid (principal, action, resource)
unless { principal in context.tenant && resource in context.tenant };`,
  "guard-delegation-depth": `@id("guard-delegation-depth")
@description("A chain of delegation has at most ${maxDelegationDepth} links.")
forbid (principal, action, resource)
when { context.delegation.depth > ${maxDelegationDepth} };`,
  "guard-unknown-tool": `@id("guard-unknown-tool")
@description("The tool is not in the catalogue, or its definition changed.")
forbid (principal, action, resource)
unless { resource.known };`,
};

/** Names of the attributes that the guards read. */
export const guardReads = ["tenant", "delegation", "depth", "known"] as const;
