/** Checks of what expressions read: known roots, parameters and fields, and only steps that are done by then. */
import type { Draft } from "./draft.ts";
import type { Graph } from "./graph.ts";
import { didYouMean } from "./near-names.ts";
import { type ParamType, typeTexts } from "./param-values.ts";
import type { ProblemCode } from "./problem-codes.ts";
import { type Path, type Problem, pathText } from "./problems.ts";
import type { Reference } from "./references.ts";
import { isScalarType, typeOfParam, webhookTrigger } from "./scope-types.ts";
import { compileTemplate } from "./template.ts";

/** One template of a definition and who renders it. */
interface Site {
  readonly value: unknown;
  readonly path: Path;
  /** A step reads what comes before it, the output of the flow reads all steps; the others read no steps. */
  readonly reader: { readonly step: string } | "flow" | "webhook" | "concurrency";
  readonly roots: readonly string[];
  /** The text is stored and shown in clear. */
  readonly shown?: true;
}

const commonRoots = ["params", "steps", "run", "trigger"];
const runFields = ["id", "flow", "version", "startedAt"];
const stepFields = ["output", "status", "error"];

/** Where a name that only some expressions can read is known. */
const knownIn: Readonly<Record<string, string>> = {
  params: "everything but the params of a webhook",
  steps: "steps and the output of the flow",
  run: "steps and the output of the flow",
  trigger: "every expression",
  item: "`with` and `forEach.key` of a step with forEach",
  index: "`with` and `forEach.key` of a step with forEach",
  key: "`with` of a step with forEach",
  error: "`onError.fallback`",
  output: "`gate.question`",
};

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
      { ...site(step.forEach?.key, ["forEach", "key"], "item", "index"), shown: true },
      site(step.config, ["with"], ...(step.forEach === null ? [] : ["item", "index", "key"])),
      site(step.when, ["when"]),
      site(step.fallback?.value, ["onError", "fallback"], "error"),
      { ...site(step.gate?.question, ["gate", "question"], "output"), shown: true },
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
      shown: true,
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
  reference: Reference,
): Fault {
  const { root, name, field } = reference;
  if (!site.roots.includes(root)) return unknownRoot(draft, root, site);
  if (site.shown && root === "params") {
    const shown = checkShown(draft, name);
    if (shown !== null) return shown;
  }
  if (name === null) return null;
  if (root === "params")
    return draft.params.has(name) ? checkScalar(draft, reference) : unknownParam(draft, name);
  if (root === "run" && !runFields.includes(name)) return unknownField("run", name, runFields);
  if (root === "trigger" && site.reader === "webhook" && !Object.hasOwn(webhookTrigger, name))
    return unknownField("the trigger of a webhook", name, Object.keys(webhookTrigger));
  if (root !== "steps") return checkScalar(draft, reference, site.reader);
  const step = draft.steps.get(name);
  if (step === undefined) {
    const near = didYouMean(name, draft.steps.keys());
    return { code: "REFERENCE_UNKNOWN", message: `There is no step "${name}".${near}` };
  }
  const fields = step.forEach === null ? stepFields : [...stepFields, "errors"];
  if (field !== null && !fields.includes(field))
    return unknownField(pathText(["steps", name]), field, fields);
  return typeof site.reader === "string" ? null : checkUpstream(graph, ordered, name, site.reader.step);
}

/** Text, numbers and truth values have no fields. */
function checkScalar(draft: Draft, { root, name, field }: Reference, reader?: Site["reader"]): Fault {
  const nothing = (what: string, type: ParamType, read: string): Fault => ({
    code: "REFERENCE_TYPE",
    message: `${what} is ${typeTexts[type]} and has no "${read}"`,
  });
  if (name === null) return null;
  if (root === "index") return nothing("index", "integer", name);
  if (root === "key") return nothing("key", "string", name);
  if (field === null) return null;
  const type =
    root === "params"
      ? typeOfParam(draft, name)
      : root === "run"
        ? "string"
        : root === "trigger" && reader === "webhook"
          ? webhookTrigger[name]
          : undefined;
  return type && isScalarType(type) ? nothing(`${root}.${name}`, type, field) : null;
}

/** What is kept and shown in clear must not hold a secret. */
function checkShown(draft: Draft, name: string | null): Fault {
  const secret = name ?? [...draft.params].find(([, param]) => param.secret === true)?.[0];
  if (secret === undefined || draft.params.get(secret)?.secret !== true) return null;
  return { code: "SECRET_SHOWN", message: `params.${secret} is a secret, and this text is shown in clear` };
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

function unknownRoot(draft: Draft, root: string, { roots }: Site): Fault {
  const meant = draft.params.has(root)
    ? `params.${root}`
    : draft.steps.has(root)
      ? `steps.${root}.output`
      : undefined;
  const readable = `expressions read ${roots.join(", ")}`;
  if (meant === undefined && Object.hasOwn(knownIn, root)) {
    const message = `"${root}" is known in ${knownIn[root]}; here ${readable}`;
    return { code: "REFERENCE_SCOPE", message };
  }
  const hint = meant === undefined ? didYouMean(root, roots) : ` Did you mean "${meant}"?`;
  return { code: "REFERENCE_UNKNOWN", message: `There is no "${root}" here; ${readable}.${hint}` };
}

const unknownParam = (draft: Draft, name: string): Fault => ({
  code: "REFERENCE_UNKNOWN",
  message: `The flow has no parameter "${name}".${didYouMean(name, draft.params.keys())}`,
});

const unknownField = (holder: string, field: string, fields: readonly string[]): Fault => ({
  code: "REFERENCE_UNKNOWN",
  message: `${holder} has no "${field}"; it has ${fields.join(", ")}.${didYouMean(field, fields)}`,
});
