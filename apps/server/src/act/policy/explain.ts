/**
 * Why a decision came out as it did: the policies that determined it, and permits that would have allowed it but
 * for one clause. A near miss is evaluated by itself, clause after clause, until the first that does not hold.
 */

import type { PolicyJson } from "./compile.ts";
import type { Bundle, CompiledPolicy, Decision, DecisionRequest, EntityRef, Envelope } from "./domain.ts";
import type { Engine } from "./engine.ts";
import type { Evaluator } from "./evaluate.ts";
import { questionOf, requestErrors } from "./request.ts";
import { guards } from "./schema.ts";
import { createSlicer } from "./slice.ts";
import { childOf } from "./tree.ts";

export interface PolicyNote {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  readonly description: string | null;
  readonly text: string;
}

export interface NearMiss extends PolicyNote {
  /** Whose link of the chain it did not permit. */
  readonly principal: EntityRef;
  /** `scope`: the policy is for other principals. */
  readonly because: "scope" | "clause" | "error";
  /** The first clause that does not hold, as Cedar; null for `scope`. */
  readonly clause: { readonly kind: "when" | "unless"; readonly text: string } | null;
  readonly error: string | null;
}

export interface Explanation {
  readonly decision: Decision;
  readonly determining: readonly PolicyNote[];
  readonly nearMisses: readonly NearMiss[];
  /** How many policies could apply to this verb and tool, guards not counted. */
  readonly considered: number;
}

const mostTried = 50;
const mostShown = 20;

export function* explainDecision(
  engine: Engine,
  evaluator: Evaluator,
  bundle: Bundle,
  q: DecisionRequest,
): Generator<void, Explanation> {
  const decision = evaluator.decide(bundle, q);
  if (requestErrors(q, bundle).length > 0)
    return { decision, determining: [], nearMisses: [], considered: 0 };
  const asked = bundle.delegation === "agent" ? { ...q, onBehalfOf: null } : q;
  const { envelope, links, parents } = questionOf(asked, bundle);
  const slice = createSlicer(bundle).slice(q.tool.verb, envelope.resource, parents);
  const candidates = slice.ids.flatMap((id) => slice.policies.get(id) ?? []);
  const determining = decision.reasons.map((id) => noteOf(id, slice.policies.get(id)));
  const nearMisses: NearMiss[] = [];
  if (decision.effect !== "allow") {
    const permits = candidates.filter(({ effect }) => effect === "permit").slice(0, mostTried);
    for (const principal of links) {
      for (const permit of permits) {
        const miss = missOf(engine, permit, { ...envelope, principal });
        if (miss !== null) nearMisses.push({ ...noteOf(permit.id, permit), principal, ...miss });
        yield;
      }
    }
  }
  nearMisses.sort((a, b) => Number(a.because === "scope") - Number(b.because === "scope"));
  return { decision, determining, nearMisses: nearMisses.slice(0, mostShown), considered: candidates.length };
}

const noteOf = (id: string, policy: CompiledPolicy | undefined): PolicyNote => ({
  id,
  effect: policy?.effect ?? "forbid",
  description: policy?.duties.description ?? null,
  text: policy?.text ?? guards[id] ?? "",
});

type Miss = Pick<NearMiss, "because" | "clause" | "error">;

/** Null when the permit is satisfied: then it missed nothing. */
function missOf(engine: Engine, permit: CompiledPolicy, envelope: Envelope): Miss | null {
  const parsed = engine.use((cedar) => cedar.policyToJson(permit.text));
  if (parsed.type === "failure") return null;
  const bare: PolicyJson = { ...parsed.json, annotations: {}, conditions: [] };
  if (!holds(engine, bare, envelope).allowed) return { because: "scope", clause: null, error: null };
  const clauses = parsed.json.conditions.flatMap(({ kind, body }) =>
    (kind === "when" ? partsOf(body, "&&") : partsOf(body, "||")).map((part) => ({ kind, body: part })),
  );
  for (let end = 1; end <= clauses.length; end++) {
    const { allowed, error } = holds(engine, { ...bare, conditions: clauses.slice(0, end) }, envelope);
    if (allowed) continue;
    const last = clauses[end - 1];
    if (last === undefined) break;
    const clause = { kind: last.kind, text: textOf(engine, bare, last) };
    return { because: error === null ? "clause" : "error", clause, error };
  }
  return null;
}

type Clause = PolicyJson["conditions"][number];

/** The operands of a chain of one operator, in the order of their evaluation. */
function partsOf(body: Clause["body"], operator: "&&" | "||"): Clause["body"][] {
  const parts: Clause["body"][] = [];
  const open = [body];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const both = childOf(next, operator);
    const left = childOf(both, "left") as Clause["body"] | undefined; // operands of an expression are expressions
    const right = childOf(both, "right") as Clause["body"] | undefined;
    if (left === undefined || right === undefined) parts.push(next);
    else open.push(right, left);
  }
  return parts;
}

function holds(
  engine: Engine,
  policy: PolicyJson,
  envelope: Envelope,
): { readonly allowed: boolean; readonly error: string | null } {
  const { principal, action, resource, context, entities } = envelope;
  const answer = engine.use((cedar) =>
    cedar.isAuthorized({
      principal,
      action,
      resource,
      context: context as Parameters<typeof cedar.isAuthorized>[0]["context"], // built in request.ts
      entities: entities as Parameters<typeof cedar.isAuthorized>[0]["entities"], // built in request.ts
      policies: { staticPolicies: { one: policy } },
    }),
  );
  if (answer.type === "failure") return { allowed: false, error: answer.errors[0]?.message ?? "unknown" };
  const [error] = answer.response.diagnostics.errors;
  return { allowed: answer.response.decision === "allow", error: error?.error.message ?? null };
}

function textOf(engine: Engine, bare: PolicyJson, { body }: Clause): string {
  const anybody = {
    ...bare,
    principal: { op: "All" },
    action: { op: "All" },
    resource: { op: "All" },
  } as const;
  const shown = engine.use((cedar) =>
    cedar.policyToText({ ...anybody, conditions: [{ kind: "when", body }] } as PolicyJson),
  );
  if (shown.type === "failure") return JSON.stringify(body);
  return (/when\s*\{([\s\S]*)\};?\s*$/.exec(shown.text)?.[1] ?? shown.text).trim();
}
