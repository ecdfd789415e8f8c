/** How far the receipts of a time cover the controls of a framework, by their tags. */
import { type ControlTally, coverageOf, gapsOf, type PackCoverage, type PackGap } from "@oars/receipts";
import { type Caller, requirePermission } from "#platform/access";
import { type Database, type Db, sql } from "#platform/db";
import { findFramework } from "./catalogue.ts";
import { type ControlMapping, kindsOfBits } from "./domain.ts";
import type { Mappings } from "./mappings.ts";
import type { Tagger } from "./tagger.ts";

export interface CoverageQuery {
  readonly framework: string;
  readonly from: Date;
  readonly to: Date;
}

export interface CoverageReport {
  readonly framework: string;
  readonly from: Date;
  readonly to: Date;
  readonly mappings: readonly ControlMapping[];
  readonly coverage: readonly Omit<PackCoverage, "samples">[];
  readonly gaps: readonly PackGap[];
  /** All leaves of the log below this one were looked at. */
  readonly taggedTo: number;
}

export interface CoverageDeps {
  readonly db: Database;
  readonly mappings: Mappings;
  readonly tagger: Tagger;
}

/** Needs `compliance:read`. Throws EVIDENCE_FRAMEWORK_UNKNOWN. */
export async function scanCoverage(
  deps: CoverageDeps,
  caller: Caller,
  query: CoverageQuery,
): Promise<CoverageReport> {
  requirePermission(caller, "compliance:read");
  const { tenantId } = caller;
  const mappings = await deps.mappings.inForce(tenantId, [query.framework]);
  const taggedTo = await deps.tagger.catchUp(tenantId);
  const tallies = await deps.db.read(tenantId, (db) => readTallies(db, tenantId, mappings, query));
  const end = query.to.toISOString();
  const coverage: Omit<PackCoverage, "samples">[] = [];
  const gaps: PackGap[] = [];
  for (const mapping of mappings) {
    const tally = tallies.get(mapping.id) ?? none;
    const { samples: _, ...covered } = coverageOf(mapping, tally, end, []);
    coverage.push(covered);
    gaps.push(...gapsOf(mapping, tally, end));
  }
  return { ...query, mappings, coverage, gaps: [...gaps, ...unmapped(query.framework, mappings)], taggedTo };
}

const none: ControlTally = { receipts: 0, kinds: [], newestAt: null };

/** Controls of a framework that no rule looks for. */
export function unmapped(
  name: string,
  mappings: readonly { controlId: string; framework: string }[],
): PackGap[] {
  const has = new Set(mappings.filter((m) => m.framework === name).map((m) => m.controlId));
  const controls = findFramework(name)?.controls ?? [];
  return controls
    .filter(({ controlId }) => !has.has(controlId))
    .map(({ controlId }) => ({
      framework: name,
      controlId,
      reason: "not_mapped",
      detail: "no mapping: receipts of this server say nothing about it unless you map it",
    }));
}

async function readTallies(
  db: Db,
  tenantId: string,
  mappings: readonly ControlMapping[],
  { from, to }: CoverageQuery,
): Promise<Map<string, ControlTally>> {
  const ids = JSON.stringify(mappings.map((m) => m.id));
  const rows = await db.query<{
    id: string;
    receipts: number;
    kinds: number;
    newestAt: Date;
  }>(sql`/* evidence.tally */
    select t.mapping_id as id, count(*)::int8 as receipts, bit_or(t.kinds) as kinds, max(t.at) as "newestAt"
    from receipt_control t
    where t.tenant_id = ${tenantId} and t.at >= ${from} and t.at < ${to}
      and t.mapping_id in (select jsonb_array_elements_text(${ids}::jsonb)::uuid)
    group by t.mapping_id`);
  return new Map(
    rows.map(({ id, receipts, kinds, newestAt }) => [
      id,
      { receipts, kinds: kindsOfBits(kinds), newestAt: newestAt.toISOString() },
    ]),
  );
}
