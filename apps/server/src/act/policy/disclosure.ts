/** What a decision was made of, for those who make it again elsewhere: the very values that its digests were taken of. */
import type { Database } from "#platform/db";
import { partsOf } from "./check.ts";
import type { BundleSource, DecisionRequest, Envelope } from "./domain.ts";
import type { FactSpec } from "./facts.ts";
import type { Grant } from "./grant.ts";
import { listGrantsAt } from "./grant-store.ts";
import { questionOf } from "./request.ts";
import { guards, schemaText } from "./schema.ts";
import * as store from "./store.ts";

/** A decision as it was kept. */
export interface KeptDecision {
  readonly version: number;
  readonly request: DecisionRequest;
  /** Those of the version in force when they were not kept. */
  readonly facts: readonly FactSpec[] | undefined;
}

export interface Disclosed extends Pick<Envelope, "entities" | "context"> {
  readonly source: BundleSource;
  readonly schema: string;
  readonly guards: Readonly<Record<string, string>>;
  /** Those that counted when the request was decided. */
  readonly grants: readonly Grant[];
  readonly released: boolean;
}

/** Undefined when there is no version of that number. */
export async function disclose(
  db: Database,
  tenantId: string,
  { version, request, facts: kept }: KeptDecision,
): Promise<Disclosed | undefined> {
  return db.read(tenantId, async (reader) => {
    const id = await store.findNumbered(reader, tenantId, version);
    const found = id === undefined ? undefined : await store.findVersion(reader, tenantId, id);
    if (found === undefined) return undefined;
    const { source } = found;
    const facts = kept ?? (await store.findForce(reader, tenantId)).publication?.facts ?? [];
    const parts = partsOf(source);
    const asked = parts.delegation === "agent" ? { ...request, onBehalfOf: null } : request;
    const { entities, context } = questionOf(asked, { facts, ...parts }).envelope;
    return {
      source,
      schema: schemaText(facts, parts.counters),
      guards,
      grants: await listGrantsAt(reader, tenantId, request.now),
      released: request.released === true,
      entities,
      context,
    };
  });
}
