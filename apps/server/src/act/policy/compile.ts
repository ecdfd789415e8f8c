/** From one policy's text to what slicing and duties need, with every problem of it that can be named. */
import type { FieldProblem } from "#platform/kernel";
import type { CompiledPolicy, CompiledTemplate, EntityRef } from "./domain.ts";
import { readDuties } from "./duties.ts";
import { type Cedar, type Engine, EngineCrash } from "./engine.ts";
import { lintPolicy } from "./lint.ts";
import { guardPrefix } from "./schema.ts";
import { cutTemplate, hasSlots } from "./template.ts";
import { type Place, type PolicyText, unitsOf } from "./text.ts";
import { attributesRead } from "./tree.ts";

const idShape = /^[A-Za-z][A-Za-z0-9._-]{0,99}$/;

export type PolicyJson = Extract<ReturnType<Cedar["policyToJson"]>, { type: "success" }>["json"];
export type EngineError = Extract<ReturnType<Cedar["policyToJson"]>, { type: "failure" }>["errors"][number];

export interface Compiled {
  readonly policy: CompiledPolicy | undefined;
  /** In place of the policy, where the scope has holes. */
  readonly template?: CompiledTemplate;
  readonly problems: readonly FieldProblem[];
}

export function compilePolicy(
  engine: Engine,
  source: PolicyText,
  place: (offset: number) => Place,
): Compiled {
  const here = place(source.start);
  const holes = hasSlots(source.text);
  let answer: ReturnType<Cedar["policyToJson"]>;
  try {
    answer = engine.use((cedar) =>
      holes ? cedar.templateToJson(source.text) : cedar.policyToJson(source.text),
    );
  } catch (cause) {
    if (!(cause instanceof EngineCrash)) throw cause;
    const message = "The policy is too complex for the engine; split it.";
    return { policy: undefined, problems: [{ path: "cedar", code: "POLICY_DEPTH", message, ...here }] };
  }
  if (answer.type === "failure")
    return {
      policy: undefined,
      problems: answer.errors.flatMap((error) => engineProblems("POLICY_SYNTAX", error, source, place)),
    };
  const { json } = answer;
  const annotations = json.annotations ?? {};
  const { duties, problems } = readDuties(annotations, json.effect);
  const id = annotations.id ?? "";
  const found = [...idProblems(id), ...problems, ...lintPolicy({ ...json }, json.effect, duties)];
  const policy = {
    id,
    effect: json.effect,
    text: source.text,
    verbs: verbsOf(json.action),
    resource: resourceOf(json.resource),
    reads: attributesRead(json.conditions),
    duties,
  };
  const said = found.map((problem) => ({ path: "cedar", ...problem, ...here }));
  if (!holes) return { policy, problems: said };
  return { policy: undefined, template: { ...policy, ...cutTemplate(engine, json) }, problems: said };
}

function idProblems(id: string): { code: string; message: string }[] {
  if (id === "") return [{ code: "POLICY_ID_MISSING", message: 'Give the policy a name: @id("my-policy").' }];
  if (id.toLowerCase().startsWith(guardPrefix))
    return [
      { code: "POLICY_ID_RESERVED", message: `Ids that begin with "${guardPrefix}" belong to the server.` },
    ];
  if (!idShape.test(id))
    return [
      {
        code: "POLICY_ID_INVALID",
        message: `@id(${JSON.stringify(id)}) must be letters, digits, ".", "_" and "-", begin with a letter and have at most 100 characters.`,
      },
    ];
  return [];
}

/** Flattens an error of the engine and finds its line; without a location it is the policy's first line. */
export function engineProblems(
  code: string,
  error: EngineError,
  source: PolicyText,
  place: (offset: number) => Place,
): FieldProblem[] {
  const at = error.sourceLocations?.[0];
  const offset = at === undefined ? 0 : unitsOf(source.text, at.start);
  const message = [
    error.message
      .replace(/^failed to parse policy(?: with id `[^`]*`)? from string: /, "")
      .replace(/^for policy `[^`]*`, /, "")
      .replace(/ in context for Oars::Action::"\w+"/, " in context"),
    ...(at?.label ? [at.label] : []),
    ...(error.help ? [error.help] : []),
  ].join("; ");
  return [
    { path: "cedar", code, message, ...place(source.start + offset) },
    ...(error.related ?? []).flatMap((related) => engineProblems(code, related, source, place)),
  ];
}

const refOf = (entity: { __entity: EntityRef } | EntityRef): EntityRef =>
  "__entity" in entity ? entity.__entity : entity;

function verbsOf(action: PolicyJson["action"]): readonly string[] | null {
  if (action.op === "==" && "entity" in action) return [refOf(action.entity).id];
  if (action.op === "in")
    return ("entities" in action ? action.entities : [action.entity]).map((entity) => refOf(entity).id);
  return null;
}

/** `==` and `in` name an entity that the tool is or belongs to; `is` alone names none. */
function resourceOf(resource: PolicyJson["resource"]): EntityRef | null {
  if ((resource.op === "==" || resource.op === "in") && "entity" in resource) return refOf(resource.entity);
  if (resource.op === "is" && resource.in !== undefined && "entity" in resource.in)
    return refOf(resource.in.entity);
  return null;
}
