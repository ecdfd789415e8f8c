/** Checks of what expressions read: known roots, parameters and fields, and only steps that are done by then. */
import type { Draft } from "./draft.ts";
import type { Graph } from "./graph.ts";
import { didYouMean } from "./near-names.ts";
import type { ProblemCode } from "./problem-codes.ts";
import { type Path, type Problem, pathText } from "./problems.ts";
import type { Reference } from "./references.ts";
import { compileTemplate } from "./template.ts";

/** One template of a definition and who renders it. */
interface Site {
  readonly value: unknown;
  readonly path: Path;
  /** A step reads what comes before it, the output of the flow reads all steps; the others read no steps. */
  readonly reader: { readonly step: string } | "flow" | "webhook" | "concurrency";
  readonly roots: readonly string[];
}

const commonRoots = ["params", "steps", "run", "trigger"];
const runFields = ["id", "flow", "version", "startedAt"];
const stepFields = ["output", "status", "error"];

export function checkExpressions(draft: Draft, graph: Graph): Problem[] {
  const ordered = new Set(graph.order);
  return sitesOf(draft).flatMap((site) => {
    const { references, problems } = compileTemplate(site.value, site.path);
    const wrong = references.flatMap(({ path, reference }): Problem[] => {
      if ("computed" in reference) {
        const { message, offset } = reference;
        return [{ path, code: "REFERENCE_COMPUTED", message, offset }];
      }
      const fault = checkReference(draft, graph, ordered, site, reference);
      return fault === null ? [] : [{ path, ...fault, offset: reference.offset }];
    });
    return [...problems, ...wrong];
  });
}

function sitesOf(draft: Draft): Site[] {
  const steps = [...draft.steps.values()].flatMap((step): Site[] => {
    const path = ["steps", step.name];
    const site = (value: unknown, at: readonly string[], ...more: string[]): Site => ({
      value,
      path: [...path, ...at],
      reader: { step: step.name },
      roots: [...commonRoots, ...more],
    });
    return [
      site(step.forEach?.items, ["forEach", "items"]),
      site(step.forEach?.key, ["forEach", "key"], "item", "index"),
      site(step.config, ["with"], ...(step.forEach === null ? [] : ["item", "index", "key"])),
      site(step.when, ["when"]),
      site(step.fallback?.value, ["onError", "fallback"], "error"),
      site(step.gate?.question, ["gate", "question"], "output"),
    ];
  });
  const webhooks = draft.webhooks.map(({ index, params }): Site => {
    const path = ["triggers", index, "webhook", "params"];
    return { value: params, path, reader: "webhook", roots: ["trigger"] };
  });
  return [
    ...steps,
    ...webhooks,
    {
      value: draft.concurrency?.key,
      path: ["concurrency", "key"],
      reader: "concurrency",
      roots: ["params", "trigger"],
    },
    { value: draft.output, path: ["output"], reader: "flow", roots: commonRoots },
  ];
}

type Fault = { readonly code: ProblemCode; readonly message: string } | null;

function checkReference(
  draft: Draft,
  graph: Graph,
  ordered: ReadonlySet<string>,
  site: Site,
  { root, name, field }: Reference,
): Fault {
  if (!site.roots.includes(root)) return unknownRoot(draft, root, site);
  if (root === "params") return name === null || draft.params.has(name) ? null : unknownParam(draft, name);
  if (root === "run")
    return name === null || runFields.includes(name) ? null : unknownField("run", name, runFields);
  if (root !== "steps" || name === null) return null;
  if (!draft.steps.has(name)) {
    return {
      code: "REFERENCE_UNKNOWN",
      message: `There is no step "${name}".${didYouMean(name, draft.steps.keys())}`,
    };
  }
  if (field !== null && !stepFields.includes(field))
    return unknownField(pathText(["steps", name]), field, stepFields);
  return typeof site.reader === "string" ? null : checkUpstream(graph, ordered, name, site.reader.step);
}

function checkUpstream(graph: Graph, ordered: ReadonlySet<string>, name: string, reader: string): Fault {
  if (name === reader) return { code: "REFERENCE_SELF", message: "a step cannot read its own output" };
  // in a cycle nothing comes first; the cycle itself is told
  if (!ordered.has(name) || !ordered.has(reader) || graph.isUpstream(name, reader)) return null;
  if (graph.isUpstream(reader, name)) {
    return {
      code: "REFERENCE_NOT_UPSTREAM",
      message: `step "${name}" comes after this step, so it has no output yet`,
    };
  }
  const message = `step "${name}" need not be done by then; add it to the needs of "${reader}"`;
  return { code: "REFERENCE_NOT_UPSTREAM", message };
}

function unknownRoot(draft: Draft, root: string, { roots, reader }: Site): Fault {
  if (reader === "webhook") {
    return {
      code: "REFERENCE_UNKNOWN",
      message: `a webhook reads only its request: write trigger., not ${root}`,
    };
  }
  const meant = draft.params.has(root)
    ? `params.${root}`
    : draft.steps.has(root)
      ? `steps.${root}.output`
      : undefined;
  const hint = meant === undefined ? didYouMean(root, roots) : ` Did you mean "${meant}"?`;
  return {
    code: "REFERENCE_UNKNOWN",
    message: `There is no "${root}" here; expressions read ${roots.join(", ")}.${hint}`,
  };
}

const unknownParam = (draft: Draft, name: string): Fault => ({
  code: "REFERENCE_UNKNOWN",
  message: `The flow has no parameter "${name}".${didYouMean(name, draft.params.keys())}`,
});

const unknownField = (holder: string, field: string, fields: readonly string[]): Fault => ({
  code: "REFERENCE_UNKNOWN",
  message: `${holder} has no "${field}"; it has ${fields.join(", ")}.${didYouMean(field, fields)}`,
});
