/** Wires the rooms around policy: what they look back on, whom they ask about people, what a publication needs. */
import { createActionHistory } from "#act/actions";
import type { Catalogue } from "#act/catalogue";
import type { Connectors } from "#act/connectors";
import { createPolicy, type Policy } from "#act/policy";
import { createRehearsals, type Rehearsals, type RehearsalsDeps } from "#act/rehearsals";
import type { Access } from "#platform/access";
import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { type Clock, isOarsError } from "#platform/kernel";
import type { Receipts } from "#sign/receipts";

type People = Pick<Access, "callerFor" | "whoIs">;

export const composePolicy = (parts: {
  readonly db: Database;
  readonly receipts: Receipts;
  readonly events: SecurityEvents;
  readonly clock: Clock;
  readonly connectors: Pick<Connectors, "factSpecs">;
  readonly catalogue: Pick<Catalogue, "list">;
  readonly access: People;
  readonly mayPublish: (tenantId: string, policyId: string) => Promise<void>;
}): Policy =>
  createPolicy({
    db: parts.db,
    receipts: parts.receipts,
    events: parts.events,
    clock: parts.clock,
    facts: (tenantId) => parts.connectors.factSpecs(tenantId),
    tools: (tenantId) => parts.catalogue.list(tenantId),
    person: (tenantId, principalId) => personOf(parts.access, tenantId, principalId),
    history: createActionHistory(parts.db),
    mayPublish: parts.mayPublish,
  });

/** Somebody who may act; undefined for who is gone or disabled. */
async function personOf(access: People, tenantId: string, principalId: string) {
  try {
    const caller = await access.callerFor(tenantId, principalId);
    return { id: caller.principalId, kind: caller.principalKind, roles: caller.roles };
  } catch (error) {
    if (isOarsError(error) && error.code.startsWith("PRINCIPAL_")) return undefined;
    throw error;
  }
}

export const composeRehearsals = (
  parts: Omit<RehearsalsDeps, "registers" | "callerFor" | "whoIs"> & {
    readonly connectors: Connectors;
    readonly catalogue: Catalogue;
    readonly access: People;
  },
): Rehearsals =>
  createRehearsals({
    ...parts,
    registers: { connectors: parts.connectors, catalogue: parts.catalogue },
    callerFor: parts.access.callerFor,
    whoIs: parts.access.whoIs,
  });
