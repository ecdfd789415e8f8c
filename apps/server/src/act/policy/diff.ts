/** What changed from one bundle to another, policy by policy. Pure: reads the texts, evaluates nothing. */
import { digestOf } from "#platform/kernel";
import type { BundleSource } from "./domain.ts";
import { cutPolicies } from "./text.ts";

export interface Change {
  readonly id: string;
  readonly change: "added" | "removed" | "changed";
  readonly before: string | null;
  readonly after: string | null;
}

export interface BundleDiff {
  readonly policies: readonly Change[];
  /** Golden cases by name, counters by name, groups by name; each as JSON text. */
  readonly cases: readonly Change[];
  readonly counters: readonly Change[];
  readonly entities: readonly Change[];
  readonly delegation: { readonly before: string; readonly after: string } | null;
}

export function diffBundles(before: BundleSource, after: BundleSource): BundleDiff {
  const delegation = {
    before: before.delegation ?? "every_link",
    after: after.delegation ?? "every_link",
  };
  return {
    policies: changes(policiesOf(before), policiesOf(after)),
    cases: changes(byName(before.cases ?? []), byName(after.cases ?? [])),
    counters: changes(byName(before.counters ?? []), byName(after.counters ?? [])),
    entities: changes(groupsOf(before), groupsOf(after)),
    delegation: delegation.before === delegation.after ? null : delegation,
  };
}

type Texts = ReadonlyMap<string, { readonly text: string; readonly digest: string }>;

function changes(before: Texts, after: Texts): Change[] {
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  return ids.flatMap((id): Change[] => {
    const [old, now] = [before.get(id), after.get(id)];
    if (old?.digest === now?.digest) return [];
    const change = old === undefined ? "added" : now === undefined ? "removed" : "changed";
    return [{ id, change, before: old?.text ?? null, after: now?.text ?? null }];
  });
}

const commentOrString = /"(?:[^"\\]|\\.)*"|\/\/[^\n\r]*/gsu;

/** The policies of an accepted bundle: each has an id, and spaces and comments change nothing. */
function policiesOf({ cedar }: BundleSource): Texts {
  return new Map(
    cutPolicies(cedar).policies.map(({ text }) => {
      const bare = text.replaceAll(commentOrString, (found) => (found.startsWith("/") ? " " : found));
      const [, quoted = '""'] = /@id\s*\(\s*("(?:[^"\\]|\\.)*")/s.exec(bare) ?? [];
      const words = bare.match(/"(?:[^"\\]|\\.)*"|\w+|[^\s\w]/gs) ?? [];
      return [JSON.parse(quoted) as string, { text, digest: digestOf(words) }] as const; // ids are letters and dots
    }),
  );
}

const shown = (value: unknown) => ({ text: JSON.stringify(value, null, 2), digest: digestOf(value) });

const byName = (list: readonly { readonly name: string }[]): Texts =>
  new Map(list.map((one) => [one.name, shown(one)]));

const groupsOf = ({ entities = {} }: BundleSource): Texts =>
  new Map(
    (["toolGroups", "groups"] as const).flatMap((kind) =>
      Object.entries(entities[kind] ?? {}).map(([name, members]) => [
        `${kind}/${name}`,
        shown([...members].sort()),
      ]),
    ),
  );
