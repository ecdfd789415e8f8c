/** Checks of `use: flow` against what the tenant has published: the child, its parameters, and where it leads. */
import { flowLimits } from "@oars/contract";
import { type ChildCall, callText, childCallsOf, type FlowCall } from "./child-calls.ts";
import type { Draft } from "./draft.ts";
import type { FlowShelf } from "./flow-shelf.ts";
import { checkGivenParams } from "./given-params.ts";
import { didYouMean } from "./near-names.ts";
import type { Problem } from "./problems.ts";
import { compareVersions } from "./semver.ts";

/** What a call leads to: a version of the shelf, or the definition that is being checked. */
interface Target {
  readonly name: string;
  readonly version: string;
  readonly params: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly calls: readonly FlowCall[];
}

export function checkChildren(draft: Draft, shelf: FlowShelf): Problem[] {
  const calls = childCallsOf(draft);
  const find = finder(draft, calls, shelf);
  const trails = createTrails(find, { flow: draft.name ?? "", version: draft.version ?? "" });
  return calls.flatMap((call) => {
    const child = find(call);
    if (child === undefined) return [unknownChild(call, shelf)];
    return [...checkChildParams(draft, call, child), ...checkTrail(draft, call, trails(call), shelf)];
  });
}

/** The definition counts as published: calls of its name may already mean it. */
function finder(draft: Draft, calls: readonly FlowCall[], shelf: FlowShelf) {
  const own: Target = {
    name: draft.name ?? "",
    version: draft.version ?? "",
    params: draft.params,
    calls,
  };
  return (call: FlowCall): Target | undefined => {
    const shelved = shelf.find(call);
    if (call.flow === own.name) {
      const isOwn =
        call.version === null
          ? shelved === undefined || compareVersions(own.version, shelved.version) >= 0
          : call.version === own.version;
      if (isOwn) return own;
    }
    return shelved && { ...shelved, params: new Map(Object.entries(shelved.params)) };
  };
}

function unknownChild({ step, flow, version }: ChildCall, shelf: FlowShelf): Problem {
  const path = ["steps", step.name, "with"];
  const versions = shelf.names.get(flow);
  if (versions === undefined) {
    const near = didYouMean(flow, shelf.names.keys()) || " Publish it first.";
    return { path: [...path, "flow"], code: "CHILD_UNKNOWN", message: `There is no flow "${flow}".${near}` };
  }
  const hint =
    version === "latest"
      ? "leave the version out to run the newest one"
      : `there are ${versions.slice(0, 10).join(", ")}${versions.length > 10 ? ", …" : ""}`;
  const message = `${flow} has no version "${version}"; ${hint}`;
  return { path: [...path, "version"], code: "CHILD_VERSION_UNKNOWN", message };
}

function checkChildParams(draft: Draft, call: ChildCall, child: Target): Problem[] {
  if (call.params === null) return [];
  return checkGivenParams(draft, {
    by: "CHILD",
    flow: `${child.name} ${child.version}`,
    declared: child.params,
    given: call.params,
    path: ["steps", call.step.name, "with", "params"],
    otherwise: "the run could not start",
  });
}

/** Calls from the first to the one that is repeated, or along the deepest way. */
type Trail = { readonly kind: "cycle" | "path"; readonly calls: readonly FlowCall[] };

/** The worst that a call of `own` leads to: a cycle, else its longest chain of runs. Every version is walked once. */
function createTrails(
  find: (call: FlowCall) => Target | undefined,
  own: FlowCall,
): (call: FlowCall) => Trail {
  const known = new Map<string, Trail>();
  const open = [`${own.flow}\n${own.version}`];
  const follow = (call: FlowCall): Trail => {
    const target = find(call);
    if (target === undefined) return { kind: "path", calls: [call] };
    const name = `${target.name}\n${target.version}`;
    if (open.includes(name)) return { kind: "cycle", calls: [call] };
    const before = known.get(name);
    if (before !== undefined) return { kind: before.kind, calls: [call, ...before.calls] };
    open.push(name);
    let worst: Trail = { kind: "path", calls: [] };
    for (const next of target.calls) {
      const trail = follow(next);
      if (trail.kind === "cycle") {
        worst = trail;
        break;
      }
      if (trail.calls.length > worst.calls.length) worst = trail;
    }
    open.pop();
    known.set(name, worst);
    return { kind: worst.kind, calls: [call, ...worst.calls] };
  };
  return follow;
}

function checkTrail(draft: Draft, { step }: ChildCall, { kind, calls }: Trail, shelf: FlowShelf): Problem[] {
  const path = ["steps", step.name, "with", "flow"];
  const shown = calls.slice(0, flowLimits.runDepth + 2).map(callText);
  const chain = [`${draft.name} ${draft.version}`, ...shown].join(" runs ");
  if (kind === "cycle") {
    return [{ path, code: "FLOW_RECURSION", message: `the flow would run itself without end: ${chain}` }];
  }
  if (calls.length > flowLimits.runDepth) {
    const message = `runs may be nested at most ${flowLimits.runDepth} deep: ${chain}`;
    return [{ path, code: "FLOW_NESTING", message }];
  }
  if (!shelf.truncated) return [];
  return [{ path, code: "FLOW_NESTING", message: "leads to more than 1,000 other flow versions" }];
}
