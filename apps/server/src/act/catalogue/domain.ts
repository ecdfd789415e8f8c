/**
 * What a tool is, and how dangerous. Pure.
 *
 * T1 a tool that is not here is not used, nor one that is not allowed.
 * T2 a tool whose definition is another one than was reviewed is quarantined until somebody reviews it.
 * T3 nobody makes a tool look more harmless without a reason, which is kept and receipted.
 */
import type { Connection, Operation, Verb } from "#act/connectors";
import { digestOf, type FieldProblem } from "#platform/kernel";

/** From harmless to dangerous. */
export const verbsByDanger = [
  "read",
  "write",
  "execute",
  "send",
  "delete",
  "pay",
] as const satisfies readonly Verb[];

export const outputAudiences = ["requester", "readers"] as const;
/** Who reads an output besides holders of `actions:outputs`: who asked for the action, or all who may read actions. */
export type OutputAudience = (typeof outputAudiences)[number];

/** What people said of a tool; null: nothing, so what its connection says holds. */
export interface Overrides {
  /** Taken for every call, whatever the call seems to do. */
  readonly verb: Verb | null;
  readonly risk: number | null;
  readonly dataTypes: readonly string[] | null;
  readonly destructive: boolean | null;
  readonly openWorld: boolean | null;
  /** Names of fields that are removed from outputs, at any depth and regardless of case. */
  readonly redact: readonly string[];
  readonly outputs: OutputAudience;
}

/** How dangerous a tool is, after overrides. */
export interface Classification {
  /** Those that a call can have. */
  readonly verbs: readonly Verb[];
  /** 0 harmless to 100 most sensitive. */
  readonly risk: number;
  readonly dataTypes: readonly string[];
  readonly environment: string;
  /** May delete, spend or run things. */
  readonly destructive: boolean;
  /** Reaches systems or people beyond the tenant's own; true unless somebody said otherwise. */
  readonly openWorld: boolean;
}

/** `active`: as it was reviewed. `changed`: quarantined until somebody reviews it. */
export type ToolStatus = "active" | "changed";

export interface Tool extends Classification {
  /** `<connection>/<operation>`. */
  readonly name: string;
  readonly source: "connector";
  readonly connection: string;
  readonly connector: string;
  readonly operation: string;
  readonly title: string;
  readonly description: string;
  /** JSON Schema (2020-12) of the arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema: Readonly<Record<string, unknown>>;
  /** `sha256:` of everything above but the classification, and of the connection: what one uses when one uses it. */
  readonly digest: string;
  readonly status: ToolStatus;
  /** False: it is not among the tools that the tenant may use. */
  readonly allowed: boolean;
  readonly overrides: Overrides;
  /** Why it was last classified as more harmless, or reviewed. */
  readonly reason: string | null;
  /** Null: it is as it was first seen. */
  readonly reviewedBy: string | null;
  readonly reviewedAt: Date | null;
  /** Counts what people said of it, from 1. */
  readonly revision: number;
  /** Changes with all of the above: what If-Match asks for. */
  readonly etag: string;
}

export const noOverrides: Overrides = {
  verb: null,
  risk: null,
  dataTypes: null,
  destructive: null,
  openWorld: null,
  redact: [],
  outputs: "requester",
};

export const toolName = (connection: string, operation: string): string => `${connection}/${operation}`;

const danger = (verb: Verb): number => verbsByDanger.indexOf(verb);
export const worstOf = (verbs: readonly Verb[]): Verb =>
  verbs.reduce((worst, verb) => (danger(verb) > danger(worst) ? verb : worst), "read");

const destroys: ReadonlySet<Verb> = new Set(["delete", "execute", "pay"]);

export function classify(
  connection: Pick<Connection, "risk" | "dataTypes" | "environment">,
  operation: Pick<Operation, "verbs">,
  said: Overrides,
): Classification {
  const verbs = said.verb === null ? operation.verbs : [said.verb];
  return {
    verbs,
    risk: said.risk ?? connection.risk,
    dataTypes: said.dataTypes ?? connection.dataTypes,
    environment: connection.environment,
    destructive: said.destructive ?? verbs.some((verb) => destroys.has(verb)),
    openWorld: said.openWorld ?? true,
  };
}

/** [T3] In what a tool looks more harmless after than before, one problem for each: why each needs a reason. */
export function lowered(
  before: Classification & { readonly overrides: Overrides },
  after: Classification & { readonly overrides: Overrides },
): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const found = (path: string, message: string): void => {
    problems.push({ path, code: "REASON_REQUIRED", message: `${message}; give a reason` });
  };
  const [was, is] = [worstOf(before.verbs), worstOf(after.verbs)];
  if (danger(is) < danger(was)) found("verb", `goes from ${was} down to ${is}`);
  if (after.risk < before.risk) found("risk", `goes from ${before.risk} down to ${after.risk}`);
  const gone = before.dataTypes.filter((type) => !after.dataTypes.includes(type));
  if (gone.length > 0) found("dataTypes", `no longer holds ${gone.join(", ")}`);
  if (before.destructive && !after.destructive) found("destructive", "is taken back");
  if (before.openWorld && !after.openWorld) found("openWorld", "is taken back");
  const shown = before.overrides.redact.filter((name) => !after.overrides.redact.includes(name));
  if (shown.length > 0) found("redact", `no longer removes ${shown.join(", ")}`);
  if (before.overrides.outputs === "requester" && after.overrides.outputs === "readers")
    found("outputs", "opens outputs to all who may read actions");
  return problems;
}

const reviewDigests = new WeakMap<object, string>();

/**
 * Digest of what a review covers: what the tenant's people can change of a tool. The operation itself comes with the
 * server and changes with it, by who installs it; see decision 0025.
 */
export function reviewDigestOf(connection: Connection): string {
  const known = reviewDigests.get(connection);
  if (known !== undefined) return known;
  const { connector, config, environment, risk, dataTypes, facts, emulate } = connection;
  const digest = digestOf({
    connector,
    config,
    environment,
    risk,
    dataTypes: [...dataTypes],
    facts,
    emulate,
  });
  reviewDigests.set(connection, digest);
  return digest;
}
