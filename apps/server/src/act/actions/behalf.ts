/** In whose name an action is proposed. Nobody is named who has not given the right to it. */
import type { Caller } from "#platform/access";
import { formatId, OarsError } from "#platform/kernel";

/** Beyond the principal that acts. */
export interface Behalf {
  /** The person for whom it acts, when that is neither itself nor who owns it. */
  readonly userId: string | null;
  /** Who sent the proposal, when that is another principal than the one that acts. */
  readonly submitterId: string | null;
}

export const ownBehalf: Behalf = { userId: null, submitterId: null };

export interface Named {
  /** Id or name of the agent that acts. */
  readonly agentId?: string | undefined;
  /** Id or name of the person for whom it acts. */
  readonly userId?: string | undefined;
}

export interface BehalfDeps {
  /** The principal of that TypeID or name, as it may act now; undefined when there is none. */
  readonly principalNamed: (tenantId: string, text: string) => Promise<Caller | undefined>;
}

const isNamed = (caller: Caller, text: string): boolean =>
  text === caller.principalName || text === formatId("principal", caller.principalId);

/**
 * Who acts, and for whom. Another agent than the caller itself only by a delegation that exists (the caller owns the
 * agent) or with `actions:impersonate`, and never one that may do more than the caller. Another user than the caller
 * or the agent's owner only with `actions:impersonate`. Throws AUTH_FORBIDDEN; who may impersonate learns with
 * ACTION_INVALID that nobody has the name.
 */
export async function actingFor(
  deps: BehalfDeps,
  caller: Caller,
  { agentId, userId }: Named,
): Promise<{ readonly caller: Caller; readonly behalf: Behalf }> {
  const agent =
    agentId === undefined || isNamed(caller, agentId) ? caller : await agentOf(deps, caller, agentId);
  const submitterId = agent === caller ? null : caller.principalId;
  if (userId === undefined) return { caller: agent, behalf: { userId: null, submitterId } };
  const natural = agent.principalKind === "user" ? agent.principalId : agent.ownerId;
  if (isNamed(caller, userId) && caller.principalId === natural)
    return { caller: agent, behalf: { userId: null, submitterId } };
  const user = await deps.principalNamed(caller.tenantId, userId);
  if (user !== undefined && user.principalId === natural)
    return { caller: agent, behalf: { userId: null, submitterId } };
  requireImpersonation(caller);
  if (user === undefined) throw unknown("userContext.userId");
  return { caller: agent, behalf: { userId: user.principalId, submitterId } };
}

async function agentOf(deps: BehalfDeps, caller: Caller, name: string): Promise<Caller> {
  const agent = await deps.principalNamed(caller.tenantId, name);
  if (agent?.ownerId !== caller.principalId) requireImpersonation(caller);
  if (agent === undefined) throw unknown("agentId");
  for (const permission of agent.permissions) {
    if (!caller.permissions.has(permission)) throw new OarsError("AUTH_FORBIDDEN", { permission });
  }
  if (!agent.permissions.has("actions:write"))
    throw new OarsError("AUTH_FORBIDDEN", { permission: "actions:write" });
  return { ...agent, credential: caller.credential };
}

function requireImpersonation(caller: Caller): void {
  const permission = "actions:impersonate";
  if (!caller.permissions.has(permission)) throw new OarsError("AUTH_FORBIDDEN", { permission });
}

const unknown = (path: string): OarsError =>
  new OarsError(
    "ACTION_INVALID",
    {},
    { errors: [{ path, code: "PRINCIPAL_UNKNOWN", message: "names no principal of this tenant" }] },
  );

/** From the person to who acts, then who sent it. */
export function chainIds(caller: Caller, { userId, submitterId }: Behalf): string[] {
  const links = [userId ?? caller.ownerId, caller.principalId, submitterId];
  return [...new Set(links.filter((id) => id !== null))];
}

/** The same as ids are shown. */
export const chainOf = (caller: Caller, behalf: Behalf): string[] =>
  chainIds(caller, behalf).map((id) => formatId("principal", id));

/** All whose action it is: none of them decides about it. */
export const partiesOf = (caller: Caller, { userId, submitterId }: Behalf): string[] => [
  ...new Set([caller.principalId, caller.ownerId, userId, submitterId].filter((id) => id !== null)),
];
