/** Golden cases: requests whose answer a bundle promises. */
import type { FieldProblem } from "#platform/kernel";
import type { Bundle, BundleSource, CaseRequest, DecisionRequest } from "./domain.ts";
import type { Evaluator } from "./evaluate.ts";

const chunk = 25;

/** Runs every case and reports each that answers otherwise, with what decided. */
export function* runCases(
  evaluator: Evaluator,
  bundle: Bundle,
  source: BundleSource,
): Generator<void, FieldProblem[]> {
  const problems: FieldProblem[] = [];
  const declared = new Set(bundle.facts.map((fact) => fact.name));
  for (const [index, golden] of (source.cases ?? []).entries()) {
    for (const name of Object.keys(golden.request.args ?? {}))
      if (!declared.has(name))
        problems.push({
          path: `cases.${index}.request.args.${name}`,
          code: "POLICY_CASE_FACT",
          message: `Case ${JSON.stringify(golden.name)} gives the fact ${name}, which no connection declares.`,
        });
    const counted = new Set(bundle.counters.map((counter) => counter.name));
    for (const name of Object.keys(golden.request.counters ?? {}))
      if (!counted.has(name))
        problems.push({
          path: `cases.${index}.request.counters.${name}`,
          code: "POLICY_CASE_COUNTER",
          message: `Case ${JSON.stringify(golden.name)} gives the counter ${name}, which the bundle does not declare.`,
        });
    const decision = evaluator.decide(bundle, requestOf(golden.request));
    if (decision.effect !== golden.expect)
      problems.push({
        path: `cases.${index}.expect`,
        code: "POLICY_CASE_FAILED",
        message: `Case ${JSON.stringify(golden.name)} expects ${golden.expect} and got ${decision.effect}: ${decision.message}`,
      });
    if (index % chunk === chunk - 1) yield;
  }
  return problems;
}

const caseTenant = "ten_case";

/** The decision request behind the friendly form. Without facts given it is the mildest request there is. */
export function requestOf(request: CaseRequest): DecisionRequest {
  const { principal, tool, delegation, onBehalfOf } = request;
  const slash = tool.indexOf("/");
  const operation = tool.slice(slash + 1);
  return {
    tenantId: caseTenant,
    principal: {
      id: principal.id ?? "prn_case",
      kind: principal.kind,
      roles: principal.roles ?? [],
      groups: principal.groups ?? [],
      ownerId: principal.owner ?? null,
    },
    onBehalfOf:
      onBehalfOf === undefined
        ? null
        : {
            id: onBehalfOf.id ?? "prn_person",
            kind: "user",
            roles: onBehalfOf.roles ?? [],
            groups: onBehalfOf.groups ?? [],
          },
    delegation: { userId: delegation?.user ?? null, depth: delegation?.depth ?? 0 },
    tool: {
      name: tool,
      connector: request.connector ?? operation.split(".", 1)[0] ?? "",
      operation,
      verb: request.action,
      risk: request.risk ?? 0,
      dataTypes: request.dataTypes ?? [],
      environment: request.environment ?? "",
    },
    target: request.target ?? "",
    facts: request.args ?? {},
    approvals: request.approvals ?? { count: 0, roles: [] },
    counters: request.counters ?? {},
    now: new Date(request.now ?? "2026-01-01T12:00:00Z"),
  };
}
