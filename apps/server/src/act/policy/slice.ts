/**
 * Slicing: of a bundle's policies only those whose scope can fit the verb and the tool are evaluated.
 * Sound because a policy whose scope does not fit is not satisfied, so it can neither decide nor err.
 */
import { sha256 } from "#platform/kernel";
import type { Bundle, CompiledPolicy, EntityRef } from "./domain.ts";
import { guardReads, guards } from "./schema.ts";

export interface Slice {
  /** Same key, same policies, within one bundle. */
  readonly key: string;
  readonly ids: readonly string[];
  readonly texts: () => Record<string, string>;
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  /** Names of the attributes that these policies and the guards read; null: all. */
  readonly reads: ReadonlySet<string> | null;
  /** Types of parents that these policies and the guards name; no other parent can decide anything. */
  readonly kinds: ReadonlySet<string>;
}

export interface Slicer {
  slice(verb: string, resource: EntityRef, parents: readonly EntityRef[]): Slice;
}

const rememberedTools = 2_000;

export function createSlicer(bundle: Bundle): Slicer {
  const remembered = new Map<string, Slice>();
  const policies = new Map(bundle.policies.map((policy) => [policy.id, policy]));
  return {
    slice(verb, resource, parents) {
      const question = JSON.stringify([verb, resource, parents]);
      const before = remembered.get(question);
      if (before !== undefined) return before;
      const candidates = candidatesOf(bundle.policies, verb, [resource, ...parents]);
      const ids = candidates.map((policy) => policy.id);
      const slice: Slice = {
        key: sha256(ids.join("\n")).toString("base64url"),
        ids,
        texts: () => ({ ...Object.fromEntries(candidates.map(({ id, text }) => [id, text])), ...guards }),
        policies,
        reads: readsOf(candidates),
        kinds: kindsOf(candidates),
      };
      if (remembered.size >= rememberedTools) remembered.clear();
      remembered.set(question, slice);
      return slice;
    },
  };
}

/**
 * A slice that holds most of a large bundle is the whole bundle: it decides the same at up to twice the cost,
 * and tools that differ in a few policies do not each make the engine parse thousands.
 */
function candidatesOf(
  policies: readonly CompiledPolicy[],
  verb: string,
  tool: readonly EntityRef[],
): readonly CompiledPolicy[] {
  const candidates = policies.filter((policy) => fits(policy, verb, tool));
  return candidates.length > 200 && candidates.length * 2 > policies.length ? policies : candidates;
}

const fits = (policy: CompiledPolicy, verb: string, tool: readonly EntityRef[]): boolean =>
  (policy.verbs === null || policy.verbs.includes(verb)) &&
  (policy.resource === null ||
    tool.some(({ type, id }) => type === policy.resource?.type && id === policy.resource.id));

/** A policy asks for a parent by its type, in its scope or in a condition: the name is in its text. */
const kindsOf = (policies: readonly CompiledPolicy[]): ReadonlySet<string> =>
  new Set(
    ["Connector", "Environment", "ToolGroup", "Role", "Group"]
      .filter((kind) => policies.some(({ text }) => text.includes(kind)))
      .map((kind) => `Oars::${kind}`)
      .concat("Oars::Tenant"),
  );

function readsOf(policies: readonly CompiledPolicy[]): ReadonlySet<string> | null {
  const names = new Set<string>(guardReads);
  for (const { reads } of policies) {
    if (reads === null) return null;
    for (const name of reads) names.add(name);
  }
  return names;
}
