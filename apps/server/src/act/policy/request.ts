/**
 * From a decision request to what Cedar is asked. Requests are validated here, in TypeScript, because the
 * engine's own validation costs more than the decision; what does not fit is a reason to deny.
 * Numbers are whole and within ±(2^53 - 1), nulls are left out, strings are well-formed Unicode.
 */
import { formatId, isUuid } from "#platform/kernel";
import {
  type Bundle,
  type DecisionRequest,
  type EntityRef,
  type Envelope,
  type EnvelopeEntity,
  principalKinds,
  verbs,
} from "./domain.ts";

/** What of a bundle shapes a question. */
export type Shape = Pick<Bundle, "facts" | "entities" | "counters">;

const longest = 64 * 1024;
const mostWords = 1_000;
const kindTypes = { user: "Oars::User", agent: "Oars::Agent", service: "Oars::Service" } as const;

export interface Question {
  readonly envelope: Envelope;
  /** Whoever must be allowed: the person behind the agent first, who acts last. */
  readonly links: readonly EntityRef[];
  /** The parents of the tool, for slicing. */
  readonly parents: readonly EntityRef[];
}

/** Everything that is wrong with a request, in sentences; empty when it can be asked. */
export function requestErrors(q: DecisionRequest, { facts, counters }: Shape): string[] {
  const errors: string[] = [];
  const whole = (what: string, value: unknown): void => {
    if (!Number.isSafeInteger(value))
      errors.push(
        `${what} is ${String(value)}: policies know whole numbers only; give money in minor units, decimals as text`,
      );
  };
  const text = (what: string, value: unknown): void => {
    if (typeof value !== "string") errors.push(`${what} must be text`);
    else if (value.length > longest) errors.push(`${what} is longer than ${longest} characters`);
    else if (!value.isWellFormed()) errors.push(`${what} is not well-formed Unicode`);
  };
  const texts = (what: string, values: readonly unknown[]): void => {
    if (!Array.isArray(values)) errors.push(`${what} must be a list`);
    else if (values.length > mostWords) errors.push(`${what} has more than ${mostWords} entries`);
    else for (const value of values) text(what, value);
  };
  if (!principalKinds.includes(q.principal.kind))
    errors.push(`principal.kind ${String(q.principal.kind)} is unknown`);
  if (!verbs.includes(q.tool.verb)) errors.push(`tool.verb ${String(q.tool.verb)} is unknown`);
  if (!(q.now instanceof Date) || Number.isNaN(q.now.getTime())) errors.push("now must be a valid date");
  text("tenantId", q.tenantId);
  text("principal.id", q.principal.id);
  text("tool.name", q.tool.name);
  text("tool.connector", q.tool.connector);
  text("tool.operation", q.tool.operation);
  text("tool.environment", q.tool.environment);
  text("target", q.target);
  texts("principal.roles", q.principal.roles);
  texts("principal.groups", q.principal.groups ?? []);
  texts("tool.dataTypes", q.tool.dataTypes);
  texts("approvals.roles", q.approvals.roles);
  texts("approvals.workflows", q.approvals.workflows ?? []);
  whole("tool.risk", q.tool.risk);
  whole("delegation.depth", q.delegation.depth);
  whole("approvals.count", q.approvals.count);
  for (const { name } of counters) whole(`counter ${name}`, q.counters?.[name] ?? 0);
  if (q.onBehalfOf) {
    if (!principalKinds.includes(q.onBehalfOf.kind)) errors.push("onBehalfOf.kind is unknown");
    text("onBehalfOf.id", q.onBehalfOf.id);
    texts("onBehalfOf.roles", q.onBehalfOf.roles);
    texts("onBehalfOf.groups", q.onBehalfOf.groups ?? []);
  }
  for (const { name, type } of facts) {
    const value = factOf(q, name);
    if (value === undefined) continue;
    if (type === "integer" && typeof value === "number") whole(`fact ${name}`, value);
    else if (type === "string" && typeof value === "string") text(`fact ${name}`, value);
    else if (!(type === "boolean" && typeof value === "boolean"))
      errors.push(`fact ${name} is declared as ${type} and came as ${typeof value}`);
  }
  return errors;
}

/** A fact that was really given: own property, not null. Facts that no connection declared are not read. */
function factOf(q: DecisionRequest, name: string): string | number | boolean | undefined {
  return Object.hasOwn(q.facts, name) ? (q.facts[name] ?? undefined) : undefined;
}

/** What Cedar is asked about a request without errors. Ids of principals and tenants appear as TypeIDs. */
export function questionOf(q: DecisionRequest, shape: Shape): Question {
  const environment = q.tool.environment.trim().toLowerCase();
  const principal = { type: kindTypes[q.principal.kind], id: principalText(q.principal.id) };
  const resource = { type: "Oars::Tool", id: q.tool.name };
  const parents: EntityRef[] = [
    tenantRef(q.tool.tenantId ?? q.tenantId),
    { type: "Oars::Connector", id: q.tool.connector },
    ...(environment === "" ? [] : [{ type: "Oars::Environment", id: environment }]),
    ...toolGroupsOf(shape, q.tool.name),
  ];
  const { onBehalfOf: person } = q;
  const behind = person && { type: kindTypes[person.kind], id: principalText(person.id) };
  const entities: EnvelopeEntity[] = [
    {
      uid: principal,
      attrs: {
        kind: q.principal.kind,
        ...(q.principal.ownerId === null ? {} : { owner: { __entity: userRef(q.principal.ownerId) } }),
      },
      parents: memberships(shape, q.principal.tenantId ?? q.tenantId, principal.id, q.principal),
    },
    {
      uid: resource,
      attrs: {
        connector: q.tool.connector,
        connection: q.tool.name.split("/", 1)[0] ?? "",
        operation: q.tool.operation,
        environment,
        risk: q.tool.risk,
        dataTypes: sortedSet(q.tool.dataTypes),
        known: isKnown(q),
      },
      parents,
    },
  ];
  if (person && behind)
    entities.push({
      uid: behind,
      attrs: { kind: person.kind },
      parents: memberships(shape, q.tenantId, behind.id, person),
    });
  const action = { type: "Oars::Action", id: q.tool.verb };
  const context = contextOf(q, shape, environment);
  const links = behind ? [behind, principal] : [principal];
  return { envelope: { principal, action, resource, context, entities }, links, parents };
}

function contextOf(q: DecisionRequest, shape: Shape, environment: string): Record<string, unknown> {
  const given = shape.facts.flatMap(({ name }) => {
    const value = factOf(q, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    tenant: { __entity: tenantRef(q.tenantId) },
    env: environment,
    delegation: {
      depth: q.delegation.depth,
      ...(q.delegation.userId === null ? {} : { user: { __entity: userRef(q.delegation.userId) } }),
    },
    operation: q.tool.operation,
    target: q.target,
    dataTypes: sortedSet(q.tool.dataTypes),
    now: { __extn: { fn: "datetime", arg: q.now.toISOString() } },
    time: {
      hour: q.now.getUTCHours(),
      minute: q.now.getUTCMinutes(),
      weekday: q.now.getUTCDay() || 7,
    },
    risk: q.tool.risk,
    args: Object.fromEntries(given),
    counters: Object.fromEntries(shape.counters.map(({ name }) => [name, q.counters?.[name] ?? 0])),
    approvals: {
      count: q.approvals.count,
      roles: sortedSet(q.approvals.roles),
      workflows: sortedSet(q.approvals.workflows ?? []),
    },
  };
}

/** Tenant, roles and groups, those of the bundle included. */
function memberships(
  { entities: { groups = {} } }: Shape,
  tenantId: string,
  id: string,
  who: { readonly roles: readonly string[]; readonly groups?: readonly string[] },
): EntityRef[] {
  const own = Object.keys(groups).filter((name) => groups[name]?.includes(id));
  return [
    tenantRef(tenantId),
    ...sortedSet(who.roles).map((role) => ({ type: "Oars::Role", id: role })),
    ...sortedSet([...(who.groups ?? []), ...own]).map((group) => ({ type: "Oars::Group", id: group })),
  ];
}

function toolGroupsOf({ entities: { toolGroups = {} } }: Shape, tool: string): EntityRef[] {
  const whole = `${tool.split("/", 1)[0] ?? ""}/*`;
  return Object.keys(toolGroups)
    .filter((name) => toolGroups[name]?.some((member) => member === tool || member === whole))
    .map((id) => ({ type: "Oars::ToolGroup", id }));
}

const isKnown = ({ tool }: DecisionRequest): boolean =>
  (tool.known ?? true) && tool.name !== "" && tool.connector !== "" && tool.operation !== "";

const principalText = (id: string): string => (isUuid(id) ? formatId("principal", id) : id);
const userRef = (id: string): EntityRef => ({ type: "Oars::User", id: principalText(id) });
const tenantRef = (id: string): EntityRef => ({
  type: "Oars::Tenant",
  id: isUuid(id) ? formatId("tenant", id) : id,
});

/** Sets have no order for Cedar; one order makes the digest of the context the same every time. */
const sortedSet = (values: readonly string[]): string[] => [...new Set(values)].sort();
