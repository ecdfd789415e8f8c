/** The file of a replay: a signed decision with everything that the policy was asked. Hostile input. */
import { parseJson } from "./disclosure.ts";
import { FormatError } from "./format-error.ts";

export const replayFormat = "oars-policy-replay@1";

export interface EntityRef {
  readonly type: string;
  readonly id: string;
}

export interface ReplayGrant {
  readonly id: string;
  readonly template: string;
  readonly principal: EntityRef | null;
  readonly resource: EntityRef | null;
}

export interface ReplayPolicy {
  /** The bundle as it was published: `decision.policy.bundle` is its digest. */
  readonly source: { readonly cedar: string } & Readonly<Record<string, unknown>>;
  /** The Cedar schema: `decision.policy.schema` is its digest. */
  readonly schema?: string;
  /** Policies of the server that stand beside every bundle. */
  readonly guards: Readonly<Record<string, string>>;
  /** Fillings of the bundle's templates that counted then. */
  readonly grants: readonly ReplayGrant[];
  /** A person had released it: policies that quarantine did not count. */
  readonly released: boolean;
}

export interface ReplayEntity {
  readonly uid: EntityRef;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly parents: readonly EntityRef[];
}

/** Members that are absent were not disclosed. */
export interface ReplayFile {
  readonly receipt: string;
  readonly policy?: ReplayPolicy;
  /** Who acts, the tool, and the person behind who acts where that person is asked about too. */
  readonly entities?: readonly ReplayEntity[];
  readonly context?: Readonly<Record<string, unknown>>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isRef = (value: unknown): value is EntityRef =>
  isRecord(value) && typeof value.type === "string" && typeof value.id === "string";
const isRefOrNull = (value: unknown): boolean => value === null || isRef(value);
const isEntity = (value: unknown): value is ReplayEntity =>
  isRecord(value) &&
  isRef(value.uid) &&
  isRecord(value.attrs) &&
  Array.isArray(value.parents) &&
  value.parents.every(isRef);
const isGrant = (value: unknown): value is ReplayGrant =>
  isRecord(value) &&
  typeof value.id === "string" &&
  typeof value.template === "string" &&
  isRefOrNull(value.principal) &&
  isRefOrNull(value.resource);

/** Throws FormatError for what is not such a file. */
export function parseReplay(text: string): ReplayFile {
  const value = parseJson(text, "the file");
  if (!isRecord(value) || value.format !== replayFormat || typeof value.receipt !== "string")
    throw new FormatError(`the file is not a replay (format ${replayFormat})`);
  const { receipt, policy, entities, context } = value;
  if (entities !== undefined && !(Array.isArray(entities) && entities.every(isEntity)))
    throw new FormatError("entities are not a list of Cedar entities");
  if (context !== undefined && !isRecord(context)) throw new FormatError("context is not an object");
  return {
    receipt,
    ...(policy === undefined ? {} : { policy: parsePolicy(policy) }),
    ...(entities === undefined ? {} : { entities }),
    ...(context === undefined ? {} : { context }),
  };
}

function parsePolicy(value: unknown): ReplayPolicy {
  if (!isRecord(value)) throw new FormatError("policy is not an object");
  const { source, schema, guards, grants = [], released = false } = value;
  if (!isRecord(source) || typeof source.cedar !== "string")
    throw new FormatError("policy.source has no Cedar text");
  if (!isRecord(guards) || !Object.values(guards).every((one) => typeof one === "string"))
    throw new FormatError("policy.guards are not texts by id");
  if (!Array.isArray(grants) || !grants.every(isGrant))
    throw new FormatError("policy.grants are not a list of grants");
  if (typeof released !== "boolean") throw new FormatError("policy.released is not true or false");
  return {
    source: { ...source, cedar: source.cedar },
    ...(typeof schema === "string" ? { schema } : {}),
    guards: guards as Record<string, string>, // every value was looked at
    grants,
    released,
  };
}
