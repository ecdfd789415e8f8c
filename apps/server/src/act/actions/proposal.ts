/** From a proposal to a decision: what is asked, what it means, what the policy says. Nothing is written here. */

import type { Catalogue, Standing } from "#act/catalogue";
import type { ActionShape, Connection, Connectors, Operation } from "#act/connectors";
import type { Decision, DecisionRequest, Policy } from "#act/policy";
import type { Caller } from "#platform/access";
import { digestOf, type ErrorCode, formatId, OarsError } from "#platform/kernel";
import { type Behalf, chainOf, ownBehalf } from "./behalf.ts";
import { type Declared, withDeclared } from "./declared.ts";
import type { ActionBinding } from "./domain.ts";

export interface Proposal {
  /** Who acts. */
  readonly caller: Caller;
  /** For whom, and who sent it; absent: the caller for itself or for its owner. */
  readonly behalf?: Behalf;
  /** A person released it from quarantine. */
  readonly released?: boolean;
  /** What the request says of itself. */
  readonly declared?: Declared | undefined;
  readonly connection: string;
  readonly operation: string;
  readonly input: Record<string, unknown>;
  /** 32 bytes: proposals with the same key are one action. Null: every proposal is a new one. */
  readonly reservation: Uint8Array | null;
  /** Digest of the request, by which a repetition is told from another request under the same key. */
  readonly fingerprint?: Uint8Array | undefined;
  /** Sent with the effect in every attempt, where the other side takes such a key. */
  readonly effectKey: string;
  readonly origin: {
    readonly runId: string;
    readonly step: string;
    readonly flow?: { readonly name: string; readonly version: string; readonly hash: string };
  } | null;
  readonly timeoutMs: number;
}

export interface Resolved {
  readonly connection: Connection;
  readonly operation: Operation;
  readonly input: unknown;
  /** As the connector sees it, with the verb, risk and data types that the catalogue says. */
  readonly shape: ActionShape;
  readonly standing: Standing;
  readonly digest: string;
}

export interface Registers {
  readonly connectors: Pick<Connectors, "operation" | "find">;
  readonly catalogue: Pick<Catalogue, "standing">;
}

/** Errors: ACTION_INVALID with all problems, CONNECTION_NOT_FOUND. */
export async function resolveProposal({ connectors, catalogue }: Registers, p: Proposal): Promise<Resolved> {
  const operation = connectors.operation(p.operation);
  if (!operation) throw invalid("operation", "OPERATION_UNKNOWN", `There is no operation ${p.operation}.`);
  const connection = await connectors.find(p.caller.tenantId, p.connection);
  if (!connection) throw new OarsError("CONNECTION_NOT_FOUND" satisfies ErrorCode, { name: p.connection });
  const parsed = operation.input.safeParse({ ...p.input, connection: p.connection });
  if (!parsed.success) {
    throw new OarsError(
      "ACTION_INVALID",
      {},
      {
        errors: parsed.error.issues.map((i) => ({
          path: ["input", ...i.path.map(String)].join("."),
          code: i.code.toUpperCase(),
          message: i.message,
        })),
      },
    );
  }
  const described = operation.describe(connection, parsed.data);
  const standing = await catalogue.standing(connection, operation);
  const { risk, dataTypes } = standing;
  const known = { ...described, verb: standing.verb ?? described.verb, risk, dataTypes };
  const shape = withDeclared(known, connection, p.declared);
  const digest = digestOf(bindingOf(p, connection, shape, parsed.data));
  return { connection, operation, input: parsed.data, shape, standing, digest };
}

const invalid = (path: string, code: string, message: string): OarsError =>
  new OarsError("ACTION_INVALID", {}, { errors: [{ path, code, message }] });

function bindingOf(p: Proposal, connection: Connection, shape: ActionShape, args: unknown): ActionBinding {
  return {
    tenant: formatId("tenant", p.caller.tenantId),
    protocol: p.origin ? "workflow" : "rest",
    server: connection.name,
    tool: shape.tool,
    tool_def: definitionDigest(connection),
    operation: p.operation,
    target: shape.target,
    args,
    principal: formatId("principal", p.caller.principalId),
    chain: chainOf(p.caller, behalfOf(p)),
    env: connection.environment,
    ...(p.declared?.dataTypes ? { data_types: [...p.declared.dataTypes].sort() } : {}),
  };
}

/** Digest of what the tool is: taken once for each connection as it was read. */
const definitionDigests = new WeakMap<Connection, string>();

function definitionDigest(connection: Connection): string {
  const known = definitionDigests.get(connection);
  if (known !== undefined) return known;
  const { connector, config, environment, emulate } = connection;
  const digest = digestOf({ connector, config, environment, ...(emulate ? { emulate } : {}) });
  definitionDigests.set(connection, digest);
  return digest;
}

export const behalfOf = (p: Proposal): Behalf => p.behalf ?? ownBehalf;

/** The person at the beginning of the chain of delegation, and how many links lead from there to who acts. */
function delegationOf(p: Proposal): { readonly userId: string | null; readonly depth: number } {
  const { userId } = behalfOf(p);
  const links = chainOf(p.caller, behalfOf(p)).length;
  return { userId: userId ?? p.caller.ownerId, depth: links - 1 };
}

export interface Approvers {
  readonly count: number;
  readonly roles: readonly string[];
  readonly workflows?: readonly string[] | undefined;
}

/** What the policy says, and what stands before it: a tool that may not be used, or that nobody has reviewed. */
export async function decideFor(
  policy: Pick<Policy, "decide" | "withdraw">,
  p: Proposal,
  r: Resolved,
  approvals: Approvers,
  now: Date,
  actionId: string,
): Promise<Decision> {
  const decision = await policy.decide({ ...requestFor(p, r, approvals, now), actionId });
  const { standing, shape } = r;
  if (standing.allowed && (standing.status !== "changed" || decision.effect === "deny")) return decision;
  policy.withdraw(p.caller.tenantId, actionId);
  // what stops it is no policy of the tenant, so there is nothing that another policy would change
  const { asked: _, shadow: __, ...stopped } = decision;
  if (!standing.allowed) {
    const message = `${shape.tool} is not among the tools that this tenant may use.`;
    return { ...stopped, effect: "deny", reasons: [notAllowed], approval: null, message };
  }
  const message = `${shape.tool} is another tool than was reviewed; it is quarantined until somebody reviews it.`;
  return { ...stopped, effect: "quarantine", reasons: [toolChanged], approval: null, message };
}

/** What the policy is asked about a proposal. */
export const requestFor = (p: Proposal, r: Resolved, approvals: Approvers, now: Date): DecisionRequest => ({
  tenantId: p.caller.tenantId,
  principal: {
    id: p.caller.principalId,
    kind: p.caller.principalKind,
    roles: p.caller.roles,
    ownerId: p.caller.ownerId,
  },
  delegation: delegationOf(p),
  tool: {
    name: r.shape.tool,
    connector: r.connection.connector,
    operation: p.operation,
    verb: r.shape.verb,
    risk: r.shape.risk,
    dataTypes: r.shape.dataTypes,
    environment: r.connection.environment,
  },
  target: r.shape.target,
  facts: r.shape.facts,
  approvals,
  now,
  ...(p.released ? { released: true } : {}),
});

/** Reasons that are no policies of the tenant. */
export const notAllowed = "guard-tool-not-allowed";
export const toolChanged = "guard-tool-changed";
