/** From a source to a definition, or to everything that is wrong with it, told at once with its place. */
import { type FlowDefinition, flowDefinition, flowLimits } from "@oars/contract";
import { canonicalJson, digestOf, type FieldProblem } from "#platform/kernel";
import { checkChildLiterals, childCallsOf, type FlowCall } from "./child-calls.ts";
import { checkChildren } from "./child-checks.ts";
import { type ReadDefinition, readText, readValue } from "./definition-source.ts";
import { type Draft, toDraft } from "./draft.ts";
import type { FlowShelf } from "./flow-shelf.ts";
import { checkGraph } from "./graph-checks.ts";
import { checkParamDeclarations, checkWebhooks } from "./param-checks.ts";
import { type Path, type Problem, placeProblems } from "./problems.ts";
import { checkExpressions } from "./reference-checks.ts";
import { schemaProblems } from "./schema-problems.ts";
import { checkSteps } from "./step-checks.ts";
import type { StepKindCatalogue } from "./step-kinds.ts";

/** YAML or JSON text, or a JSON value. */
export type FlowSourceInput = string | object;

export type Validation =
  | {
      readonly valid: true;
      readonly flow: string;
      readonly version: string;
      readonly hash: string;
      readonly definition: FlowDefinition;
      readonly problems: readonly [];
    }
  | { readonly valid: false; readonly problems: readonly FieldProblem[] };

/** A source that has been read and checked as far as it goes by itself. */
export interface OpenedDefinition {
  /** Which flows its steps run. */
  readonly calls: readonly FlowCall[];
  /** True when nothing is wrong but what other flows may show. */
  readonly sound: boolean;
  /** The result, with `shelf` held against its calls. Without one, calls are not looked at. */
  validation(shelf?: FlowShelf): Validation;
}

/** Never throws on any source. Pure, but for the catalogue of step kinds. */
export function openDefinition(source: FlowSourceInput, kinds: StepKindCatalogue): OpenedDefinition {
  if (typeof source === "string" && Buffer.byteLength(source) > flowLimits.definitionBytes)
    return closed(tooLarge());
  const read = typeof source === "string" ? readText(source) : readValue(source);
  if (read.data === undefined)
    return closed({ valid: false, problems: placeProblems(read.problems, read.positions) });
  const draft = toDraft(read.data);
  const found = findProblems(read, draft, kinds);
  const problems = [...read.problems, ...withoutEchoes(found, read.problems)];
  const tooLong =
    problems.length === 0 && Buffer.byteLength(canonicalJson(read.data)) > flowLimits.definitionBytes;
  if (tooLong) return closed(tooLarge());
  return {
    calls: childCallsOf(draft).map(({ flow, version }) => ({ flow, version })),
    sound: problems.length === 0,
    validation(shelf) {
      const ofChildren = shelf === undefined ? [] : withoutEchoes(checkChildren(draft, shelf), read.problems);
      const all = [...problems, ...ofChildren];
      if (all.length > 0) return { valid: false, problems: placeProblems(all, read.positions) };
      const definition = read.data as FlowDefinition; // findProblems has held it against the schema
      const { flow, version } = definition;
      return { valid: true, flow, version, hash: digestOf(definition), definition, problems: [] };
    },
  };
}

const closed = (validation: Validation): OpenedDefinition => ({
  calls: [],
  sound: validation.valid,
  validation: () => validation,
});

/** Everything that can be told without other flows; a `shelf` also tells what its calls do. */
export const validateDefinition = (
  source: FlowSourceInput,
  kinds: StepKindCatalogue,
  shelf?: FlowShelf,
): Validation => openDefinition(source, kinds).validation(shelf);

function findProblems({ data }: ReadDefinition, draft: Draft, kinds: StepKindCatalogue): Problem[] {
  const parsed = flowDefinition.safeParse(data);
  const schema = parsed.success
    ? []
    : schemaProblems({ schema: flowDefinition, data, base: [] }, parsed.error.issues);
  const { graph, problems: graphProblems } = checkGraph(draft);
  return [
    ...schema,
    ...checkStepCount(draft.steps.size, parsed.success),
    ...checkParamDeclarations(draft),
    ...checkWebhooks(draft),
    ...checkSteps(draft, kinds),
    ...checkChildLiterals(draft),
    ...graphProblems,
    ...checkExpressions(draft, graph),
  ];
}

function checkStepCount(count: number, fitsSchema: boolean): Problem[] {
  const code = "FLOW_STEPS";
  if (count > flowLimits.steps) {
    return [
      {
        path: ["steps"],
        code,
        message: `has ${count} steps; at most ${flowLimits.steps} are allowed`,
        on: "key",
      },
    ];
  }
  return count === 0 && fitsSchema
    ? [{ path: ["steps"], code, message: "write at least one step", on: "key" }]
    : [];
}

/** Drops what only follows from another problem: values that could not be read, triggers that are not there yet. */
function withoutEchoes(found: readonly Problem[], faults: readonly Problem[]): Problem[] {
  const unread = faults.filter(({ on }) => on !== "key").map(({ path }) => path);
  const holders = found
    .filter(({ code }) => code === "TRIGGER_UNAVAILABLE")
    .map(({ path }) => path.slice(0, -1));
  return found.filter(({ path, code }) => {
    if (unread.some((prefix) => startsWith(path, prefix))) return false;
    return code !== "FIELD_REQUIRED" || !holders.some((holder) => startsWith(path, holder));
  });
}

const startsWith = (path: Path, prefix: Path): boolean => prefix.every((part, i) => path[i] === part);

function tooLarge(): Validation {
  const message = `the definition is larger than ${flowLimits.definitionBytes} bytes`;
  return { valid: false, problems: [{ path: "", code: "FLOW_TOO_LARGE", message, line: 1, column: 1 }] };
}
