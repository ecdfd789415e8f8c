import { type Caller, requirePermission } from "#platform/access";
import { type Database, type Sql, sql } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import type { Outbox } from "#platform/jobs";
import type { Clock } from "#platform/kernel";
import type { Log } from "#sign/log";
import type { Receipts, Signers } from "#sign/receipts";
import { type CatalogueControl, type Framework, frameworks } from "./catalogue.ts";
import { type CoverageQuery, type CoverageReport, scanCoverage } from "./coverage.ts";
import { createMappings, type Mappings } from "./mappings.ts";
import { createPackWorker } from "./pack-worker.ts";
import { createPacks, type Packs, packRequested } from "./packs.ts";
import { createSchedules, type Schedules } from "./schedules.ts";
import { createTagger, listControls } from "./tagger.ts";

export interface Evidence {
  /** Needs `compliance:read`. */
  catalogue(caller: Caller): readonly Framework[];
  readonly mappings: Pick<Mappings, "list" | "history" | "put">;
  /** Needs `compliance:read`. Throws EVIDENCE_FRAMEWORK_UNKNOWN. */
  coverage(caller: Caller, query: CoverageQuery): Promise<CoverageReport>;
  /** A condition on `receipt.id`: the receipts that are evidence of a control, all of them. Throws EVIDENCE_CONTROL_NOT_FOUND. */
  ofControl(tenantId: string, framework: string, controlId: string): Promise<Sql>;
  /** Controls, as `framework/control`, that receipts are evidence of, as far as they were tagged. */
  controlsOf(
    tenantId: string,
    receiptIds: readonly string[],
  ): Promise<ReadonlyMap<string, readonly string[]>>;
  readonly packs: Packs;
  readonly schedules: Pick<Schedules, "list" | "set" | "remove">;
  /** Tags what is new in the logs; true when there is more to do. */
  tag(): Promise<boolean>;
  /** Asks for monthly packs that are due, and makes what waits. */
  tend(): Promise<void>;
  /** Resolves when no pack waits that this process would make. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export interface EvidenceDeps {
  readonly db: Database;
  readonly clock: Clock;
  /** Public URL of this server. */
  readonly origin: string;
  readonly signers: Signers;
  readonly outbox: Pick<Outbox, "emit" | "on">;
  readonly receipts: Pick<Receipts, "add" | "trust">;
  readonly log: Pick<Log, "sequenceNow">;
  readonly events: Pick<SecurityEvents, "record">;
  readonly onError: (error: unknown, what: string) => void;
}

export type { CatalogueControl };

export function createEvidence(deps: EvidenceDeps): Evidence {
  const { db } = deps;
  const mappings = createMappings(db, deps.events);
  const tagger = createTagger(db);
  const packs = createPacks({ ...deps, mappings });
  const schedules = createSchedules(db, mappings);
  const worker = createPackWorker({ ...deps, mappings });
  deps.outbox.on(packRequested, async () => worker.wake());
  return {
    catalogue: (caller) => {
      requirePermission(caller, "compliance:read");
      return frameworks;
    },
    mappings,
    coverage: async (caller, query) => {
      await deps.log.sequenceNow(caller.tenantId);
      return scanCoverage({ db, mappings, tagger }, caller, query);
    },
    ofControl: async (tenantId, framework, controlId) => {
      const mapping = await mappings.find(tenantId, framework, controlId);
      await deps.log.sequenceNow(tenantId);
      await tagger.catchUp(tenantId);
      return sql`id in (select receipt_id from receipt_control where tenant_id = ${tenantId} and mapping_id = ${mapping.id})`;
    },
    controlsOf: (tenantId, receiptIds) => db.read(tenantId, (tx) => listControls(tx, tenantId, receiptIds)),
    packs,
    schedules,
    tag: tagger.sweep,
    tend: async () => {
      await schedules.askDue(deps.clock.now());
      worker.wake();
    },
    idle: worker.idle,
    stop: worker.stop,
  };
}
