/**
 * Control mappings of a tenant. The default rules of a framework come into force when it is first used, as rows like
 * any other, so that what was counted by them can be told later.
 */
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Tx } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { newId, OarsError } from "#platform/kernel";
import { findFramework, frameworks } from "./catalogue.ts";
import { type ControlMapping, type MappingInput, tidyFilters } from "./domain.ts";
import {
  findLive,
  insertMappings,
  listLive,
  listVersions,
  lockMappings,
  replaceLive,
} from "./mapping-store.ts";

export interface Mappings {
  /** Needs `compliance:read`. Throws EVIDENCE_FRAMEWORK_UNKNOWN. */
  list(caller: Caller, framework?: string): Promise<ControlMapping[]>;
  /** Every version of a control, newest first. Needs `compliance:read`. Throws EVIDENCE_CONTROL_NOT_FOUND. */
  history(caller: Caller, framework: string, controlId: string): Promise<ControlMapping[]>;
  /** A further version, in force at once. Needs `compliance:write`. */
  put(caller: Caller, input: MappingInput): Promise<ControlMapping>;
  /** Throws EVIDENCE_CONTROL_NOT_FOUND. */
  find(tenantId: string, framework: string, controlId: string): Promise<ControlMapping>;
  /** Those in force of some frameworks. Throws EVIDENCE_FRAMEWORK_UNKNOWN. */
  inForce(tenantId: string, of: readonly string[]): Promise<ControlMapping[]>;
}

export function createMappings(db: Database, events: Pick<SecurityEvents, "record">): Mappings {
  const inForce = async (tenantId: string, of: readonly string[]): Promise<ControlMapping[]> => {
    let live = await db.read(tenantId, (tx) => listLive(tx, tenantId, of));
    const missing = of.filter((name) => !live.some((m) => m.framework === name && m.source === "catalogue"));
    const adoptable = missing.filter((name) => findFramework(name) !== undefined);
    if (adoptable.length > 0) {
      await db.tx(tenantId, async (tx) => {
        await lockMappings(tx, tenantId);
        for (const name of adoptable) await adopt(tx, tenantId, name);
      });
      live = await db.read(tenantId, (tx) => listLive(tx, tenantId, of));
    }
    for (const name of of) if (!live.some((m) => m.framework === name)) throw unknownFramework(name);
    return live;
  };
  const find = async (tenantId: string, framework: string, controlId: string): Promise<ControlMapping> => {
    if (findFramework(framework)) await inForce(tenantId, [framework]);
    const [found] = await db.read(tenantId, (tx) => findLive(tx, tenantId, framework, controlId));
    if (!found) throw new OarsError("EVIDENCE_CONTROL_NOT_FOUND", { control: controlId, framework });
    return found;
  };
  return {
    inForce,
    find,
    list: async (caller, framework) => {
      requirePermission(caller, "compliance:read");
      if (framework !== undefined) return inForce(caller.tenantId, [framework]);
      return db.read(caller.tenantId, (tx) => listLive(tx, caller.tenantId));
    },
    history: async (caller, framework, controlId) => {
      requirePermission(caller, "compliance:read");
      await find(caller.tenantId, framework, controlId);
      return db.read(caller.tenantId, (tx) => listVersions(tx, caller.tenantId, framework, controlId));
    },
    put: async (caller, input) => {
      requirePermission(caller, "compliance:write");
      return db.tx(caller.tenantId, async (tx) => {
        await lockMappings(tx, caller.tenantId);
        await adopt(tx, caller.tenantId, input.framework);
        const made = await putVersion(tx, caller, input);
        await events.record(tx, {
          tenantId: caller.tenantId,
          type: "control.changed",
          actor: caller,
          target: { kind: "control", id: `${made.framework}/${made.controlId}` },
          details: { version: made.version },
        });
        return made;
      });
    },
  };
}

const unknownFramework = (framework: string): OarsError =>
  new OarsError("EVIDENCE_FRAMEWORK_UNKNOWN", {
    framework,
    known: frameworks.map((f) => f.framework).join(", "),
  });

/** Puts the default rules of a framework in force where the tenant has none of its own. Harmless to repeat. */
async function adopt(tx: Tx, tenantId: string, name: string): Promise<void> {
  const framework = findFramework(name);
  if (!framework) return;
  const live = await listLive(tx, tenantId, [name]);
  if (live.some((m) => m.source === "catalogue")) return;
  const has = new Set(live.map((m) => m.controlId));
  const rows = framework.controls.flatMap(({ controlId, title, rule }) =>
    rule === null || has.has(controlId)
      ? []
      : [
          {
            id: newId(),
            framework: name,
            controlId,
            title,
            version: 1,
            ...rule,
            threshold: 1,
            source: "catalogue" as const,
            createdBy: null,
          },
        ],
  );
  if (rows.length > 0) await insertMappings(tx, tenantId, rows);
}

async function putVersion(tx: Tx, caller: Caller, input: MappingInput): Promise<ControlMapping> {
  const { tenantId } = caller;
  const { framework, controlId } = input;
  const [before] = await findLive(tx, tenantId, framework, controlId);
  if (before) await replaceLive(tx, tenantId, before.id);
  const known = findFramework(framework)?.controls.find((c) => c.controlId === controlId);
  await insertMappings(tx, tenantId, [
    {
      id: newId(),
      framework,
      controlId,
      version: (before?.version ?? 0) + 1,
      title: input.title ?? before?.title ?? known?.title ?? controlId,
      description: input.controlDescription,
      receiptFilters: tidyFilters(input.receiptFilters ?? {}),
      requiredNodeTypes: [...new Set(input.requiredNodeTypes)].sort(),
      freshnessDays: input.freshnessDays ?? null,
      threshold: input.threshold ?? 1,
      source: "tenant",
      createdBy: caller.principalId,
    },
  ]);
  const [made] = await findLive(tx, tenantId, framework, controlId);
  if (!made) throw new Error("a mapping that was just made is not there");
  return made;
}
