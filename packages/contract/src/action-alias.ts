/**
 * Other spellings of the fields of `POST /v1/actions`, as agents in the field send them. Each row is
 * alias -> canonical, within one object. An alias beside its canonical field stays as it is, so that the
 * strict schema names it as an error instead of one of the two winning silently.
 */
const submission = {
  tenant_id: "tenantId",
  agent_id: "agentId",
  user_context: "userContext",
  actionContext: "context",
  action_context: "context",
  timeout_ms: "timeoutMs",
} as const;
const userContext = { user_id: "userId", session_id: "sessionId" } as const;
const context = { env: "environment", data_types: "dataTypes", requested_at: "requestedAt" } as const;
const resource = { tool_id: "toolId" } as const;

/** The request with canonical names. Anything that is not an object passes through for the schema to refuse. */
export function canonicalAction(value: unknown): unknown {
  if (!isObject(value)) return value;
  const action = rename(value, submission);
  for (const [field, aliases] of [
    ["userContext", userContext],
    ["context", context],
    ["resource", resource],
  ] as const) {
    const part = action[field];
    if (isObject(part)) action[field] = rename(part, aliases);
  }
  return action;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function rename(value: Record<string, unknown>, aliases: Record<string, string>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const canonical = Object.hasOwn(aliases, key) ? aliases[key] : undefined;
    const free =
      canonical !== undefined && !Object.hasOwn(value, canonical) && !Object.hasOwn(out, canonical);
    out[free ? canonical : key] = value[key];
  }
  return out;
}
