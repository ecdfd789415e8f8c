/** Checks of `needs` and `goto`, and the graph that is left when their faults are taken out. */
import type { Draft } from "./draft.ts";
import { buildGraph, type Edge, type Graph } from "./graph.ts";
import { didYouMean } from "./near-names.ts";
import type { Problem } from "./problems.ts";

export interface CheckedGraph {
  readonly graph: Graph;
  readonly problems: readonly Problem[];
}

export function checkGraph(draft: Draft): CheckedGraph {
  const problems: Problem[] = [];
  const names = [...draft.steps.keys()];
  const needs = needEdges(draft, problems);
  const byNeeds = buildGraph(names, needs);
  const gotos = gotoEdges(draft, byNeeds, problems);
  const graph = buildGraph(names, [...needs, ...gotos]);
  problems.push(...handlersWithNeeds(draft, gotos));
  for (const cycle of graph.cycles) problems.push(cycleProblem(cycle));
  return { graph, problems };
}

function needEdges(draft: Draft, problems: Problem[]): Edge[] {
  const edges = new Map<string, Edge>();
  for (const step of draft.steps.values()) {
    for (const { name, index } of step.needs) {
      const path = ["steps", step.name, "needs", index];
      if (name === step.name) {
        problems.push({ path, code: "NEEDS_SELF", message: "a step cannot need itself" });
      } else if (!draft.steps.has(name)) {
        const near = didYouMean(name, draft.steps.keys());
        problems.push({ path, code: "NEEDS_UNKNOWN", message: `There is no step "${name}".${near}` });
      } else edges.set(`${name} ${step.name}`, { from: name, to: step.name, kind: "needs" });
    }
  }
  return [...edges.values()];
}

function gotoEdges(draft: Draft, byNeeds: Graph, problems: Problem[]): Edge[] {
  const edges: Edge[] = [];
  for (const step of draft.steps.values()) {
    if (step.goto === null) continue;
    const path = ["steps", step.name, "onError", "goto"];
    if (step.goto === step.name) {
      problems.push({
        path,
        code: "GOTO_SELF",
        message: "a step cannot go to itself; use retry to try it again",
      });
    } else if (!draft.steps.has(step.goto)) {
      const near = didYouMean(step.goto, draft.steps.keys());
      problems.push({ path, code: "GOTO_UNKNOWN", message: `There is no step "${step.goto}".${near}` });
    } else if (byNeeds.isUpstream(step.goto, step.name)) {
      const message = `"${step.goto}" comes before this step; go to a step that comes later`;
      problems.push({ path, code: "GOTO_UPSTREAM", message });
    } else edges.push({ from: step.name, to: step.goto, kind: "goto" });
  }
  return edges;
}

/** A handler starts when a step goes to it and at no other time, so it has nothing to wait for. */
const handlersWithNeeds = (draft: Draft, gotos: readonly Edge[]): Problem[] =>
  [...Map.groupBy(gotos, ({ to }) => to)].flatMap(([target, edges]): Problem[] => {
    if ((draft.steps.get(target)?.needs.length ?? 0) === 0) return [];
    const sources = edges.map(({ from }) => `"${from}"`).join(", ");
    const message = `${sources} goes here on error, so the step runs only then; remove its needs`;
    return [{ path: ["steps", target, "needs"], code: "GOTO_TARGET_NEEDS", message, on: "key" }];
  });

/** The step whose definition holds the edge. */
const holderOf = ({ from, to, kind }: Edge): string => (kind === "needs" ? to : from);

/** Told at the step of the cycle whose name comes first, as a sentence that goes once around. */
function cycleProblem(cycle: readonly Edge[]): Problem {
  const holders = cycle.map(holderOf);
  const first = holders.indexOf(holders.toSorted()[0] ?? "");
  const around = [...cycle.slice(first), ...cycle.slice(0, first)];
  const told = around.map(({ from, to, kind }) =>
    kind === "needs" ? `${to} needs ${from}` : `${from} goes to ${to}`,
  );
  const shown = told.length > 12 ? [...told.slice(0, 11), `… (${told.length} steps)`] : told;
  const fields = around[0]?.kind === "goto" ? ["onError", "goto"] : ["needs"];
  const path = ["steps", holders[first] ?? "", ...fields];
  return { path, code: "FLOW_CYCLE", message: `steps wait for each other: ${shown.join(", ")}` };
}
