/** Steps that run another flow (`use: flow`), and what must be written out so that publishing can check it. */
import { type Draft, type DraftStep, holdsPlaceholder, kindName, objectOf } from "./draft.ts";
import type { Problem } from "./problems.ts";

/** A flow that a step runs: a version, or the newest one when the step starts. */
export interface FlowCall {
  readonly flow: string;
  readonly version: string | null;
}

/** A call as a step of the definition makes it. */
export interface ChildCall extends FlowCall {
  readonly step: DraftStep;
  /** What it gives to the child, as far as it is written out as an object; null when an expression gives all of it. */
  readonly params: Readonly<Record<string, unknown>> | null;
}

/** The calls whose flow and version can be read. */
export function childCallsOf(draft: Draft): ChildCall[] {
  return [...draft.steps.values()].flatMap((step): ChildCall[] => {
    const config = objectOf(step.config);
    if (kindName(step) !== "flow" || config === null) return [];
    const { flow, version = null, params = {} } = config;
    if (typeof flow !== "string" || holdsPlaceholder([flow, version])) return [];
    if (version !== null && typeof version !== "string") return [];
    return [{ step, flow, version, params: objectOf(params) }];
  });
}

export function checkChildLiterals(draft: Draft): Problem[] {
  return [...draft.steps.values()].flatMap((step) => {
    const config = kindName(step) === "flow" ? objectOf(step.config) : null;
    return ["flow", "version"].flatMap((field): Problem[] => {
      if (!holdsPlaceholder(config?.[field])) return [];
      const message = "must be written out, so that what it runs is known when the flow is published";
      return [{ path: ["steps", step.name, "with", field], code: "CHILD_NOT_LITERAL", message }];
    });
  });
}

export const callText = ({ flow, version }: FlowCall): string => `${flow} ${version ?? "(newest)"}`;
