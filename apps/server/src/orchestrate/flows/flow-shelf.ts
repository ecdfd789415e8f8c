/**
 * The published flows that a definition can reach through `use: flow`, as they stand at one moment: read
 * level by level from the tenant's rows, each version once, and no deeper than can be legal.
 */
import { type FlowParam, flowLimits } from "@oars/contract";
import type { Db } from "#platform/db";
import type { FlowCall } from "./child-calls.ts";
import { findFlowNames, findShelved } from "./store.ts";

/** A published version, as far as a flow that runs it must know it. */
export interface ShelvedFlow {
  readonly name: string;
  readonly version: string;
  readonly isLatest: boolean;
  readonly params: Readonly<Record<string, FlowParam>>;
  readonly calls: readonly FlowCall[];
}

export interface FlowShelf {
  find(call: FlowCall): ShelvedFlow | undefined;
  /** Every flow of the tenant with its versions; empty unless a call of the first level names what is not there. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** There is more to reach than was read. */
  readonly truncated: boolean;
}

const maxReached = 1_000;

/** `calls` are those of a definition that is not there yet: one of its own name may find nothing. */
export async function loadShelf(db: Db, tenantId: string, calls: readonly FlowCall[]): Promise<FlowShelf> {
  const found = new Map<string, ShelvedFlow>();
  const asked = new Set<string>();
  let level: readonly FlowCall[] = calls;
  for (let depth = 0; depth <= flowLimits.runDepth && level.length > 0; depth++) {
    const wanted = level.filter((call) => !asked.has(keyOf(call)));
    for (const call of wanted) asked.add(keyOf(call));
    if (wanted.length === 0 || asked.size > maxReached) break;
    const rows = await findShelved(db, tenantId, wanted);
    for (const row of rows) {
      found.set(keyOf({ flow: row.name, version: row.version }), row);
      if (row.isLatest) found.set(keyOf({ flow: row.name, version: null }), row);
    }
    level = rows.flatMap((row) => row.calls);
  }
  const isMissing = calls.some((call) => !found.has(keyOf(call)));
  const names = isMissing ? await findFlowNames(db, tenantId) : [];
  return createShelf(
    found,
    new Map(names.map(({ name, versions }) => [name, versions])),
    asked.size > maxReached,
  );
}

export const createShelf = (
  found: ReadonlyMap<string, ShelvedFlow>,
  names: FlowShelf["names"],
  truncated = false,
): FlowShelf => ({ find: (call) => found.get(keyOf(call)), names, truncated });

/** A shelf of these flows, for tests of the checks. */
export function shelfOf(flows: readonly ShelvedFlow[]): FlowShelf {
  const found = new Map<string, ShelvedFlow>();
  for (const flow of flows) {
    found.set(keyOf({ flow: flow.name, version: flow.version }), flow);
    if (flow.isLatest) found.set(keyOf({ flow: flow.name, version: null }), flow);
  }
  const names = Map.groupBy(flows, ({ name }) => name);
  return createShelf(
    found,
    new Map([...names].map(([name, all]) => [name, all.map(({ version }) => version)])),
  );
}

/** Neither part holds a line end: names and versions do not. */
const keyOf = ({ flow, version }: FlowCall): string => `${flow}\n${version ?? ""}`;
