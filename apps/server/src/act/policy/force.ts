/** What decides for a tenant now, ready to be asked: the publication, its grants, and the candidate beside it. */
import type { Database } from "#platform/db";
import { type Clock, OarsError } from "#platform/kernel";
import { createActive } from "./active.ts";
import { partsOf } from "./check.ts";
import type { Bundle, CompiledPolicy, CompiledTemplate } from "./domain.ts";
import { withGrants } from "./grant.ts";
import * as store from "./store.ts";
import type { Workshop } from "./workshop.ts";

export interface InForce {
  readonly bundle: Bundle | null;
  readonly errors: readonly string[];
  readonly shadow: Candidate | null;
  /** Until when this holds, in milliseconds since 1970: then a grant expires. */
  readonly until: number | null;
}

export interface Candidate {
  readonly policyId: string;
  readonly share: number;
  readonly bundle: Bundle;
}

export interface Force {
  get(tenantId: string): Promise<InForce>;
  forget(tenantId: string): void;
}

export function createForce(deps: {
  readonly db: Database;
  readonly clock: Clock;
  readonly workshop: Workshop;
  readonly engine: string;
}): Force {
  const active = createActive<InForce>({
    now: () => deps.clock.now().getTime(),
    revision: (tenantId) =>
      deps.db.read(tenantId, async (db) => (await store.findHead(db, tenantId)).revision),
    load: async (tenantId) => {
      const { revision, publication, shadow, grants, until } = await deps.db.read(tenantId, (db) =>
        store.findForce(db, tenantId),
      );
      if (publication === null)
        return { revision, value: { bundle: null, errors: [], shadow: null, until: null } };
      const { bundle, errors } = await read(publication);
      const candidate = shadow === null ? null : (await read(shadow)).bundle;
      const value: InForce = {
        bundle: bundle && withGrants(bundle, grants),
        errors,
        shadow:
          shadow === null || candidate === null
            ? null
            : {
                policyId: shadow.policyId,
                share: shadow.share,
                bundle: withGrants(candidate, grants),
              },
        until,
      };
      return { revision, value };
    },
  });
  /** What another release of the engine compiled is compiled again before it decides. */
  const read = async (
    publication: store.Publication,
  ): Promise<{ bundle: Bundle | null; errors: readonly string[] }> => {
    if (publication.engine === deps.engine) return { bundle: toBundle(publication), errors: [] };
    try {
      const { cases: _, ...source } = publication.source; // golden cases were for the publication
      const { policies, templates } = await deps.workshop.accept(source, publication.facts);
      return { bundle: toBundle({ ...publication, compiled: [...policies, ...templates] }), errors: [] };
    } catch (cause) {
      const problems = cause instanceof OarsError ? cause.errors.map((error) => error.message) : [];
      return { bundle: null, errors: [`${deps.engine} cannot read the published policy`, ...problems] };
    }
  };
  return {
    async get(tenantId) {
      const held = await active.get(tenantId);
      if (held.until === null || deps.clock.now().getTime() < held.until) return held;
      active.forget(tenantId);
      return active.get(tenantId);
    },
    forget: active.forget,
  };
}

const isTemplate = (one: CompiledPolicy | CompiledTemplate): one is CompiledTemplate => "pieces" in one;

const toBundle = (publication: store.Publication): Bundle => ({
  id: publication.policyId,
  version: publication.version,
  digest: publication.digest,
  schema: publication.schema,
  facts: publication.facts,
  policies: publication.compiled.filter((one) => !isTemplate(one)),
  templates: publication.compiled.filter(isTemplate),
  ...partsOf(publication.source),
});
