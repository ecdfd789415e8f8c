/** A disclosed bundle as Cedar takes it: policies by id, grants as links of templates, and what annotations demand. */
import { FormatError } from "./format-error.ts";
import type { EntityRef, ReplayGrant, ReplayPolicy } from "./replay-file.ts";

/** What is used of `@cedar-policy/cedar-wasm`. */
export interface CedarPort {
  getCedarSDKVersion(): string;
  policySetTextToParts(
    text: string,
  ): { type: "success"; policies: string[]; policy_templates: string[] } | CedarFailure;
  policyToJson(text: string): { type: "success"; json: CedarPolicyJson } | CedarFailure;
  templateToJson(text: string): { type: "success"; json: CedarPolicyJson } | CedarFailure;
  isAuthorized(call: CedarCall): CedarAnswer | CedarFailure;
}

export interface CedarFailure {
  readonly type: "failure";
  readonly errors: readonly { readonly message: string }[];
}

export interface CedarCall {
  readonly principal: EntityRef;
  readonly action: EntityRef;
  readonly resource: EntityRef;
  readonly context: unknown;
  readonly entities: unknown;
  readonly policies: CedarPolicies;
}

export interface CedarAnswer {
  readonly type: "success";
  readonly response: {
    readonly decision: "allow" | "deny";
    readonly diagnostics: {
      readonly reason: readonly string[];
      readonly errors: readonly { readonly policyId: string; readonly error: { readonly message: string } }[];
    };
  };
}

export interface CedarPolicies {
  readonly staticPolicies: Readonly<Record<string, string>>;
  readonly templates: Readonly<Record<string, string>>;
  readonly templateLinks: readonly {
    readonly templateId: string;
    readonly newId: string;
    readonly values: Readonly<Record<string, EntityRef>>;
  }[];
}

interface Scope {
  readonly op: string;
  readonly slot?: string;
  readonly in?: { readonly slot: string } | { readonly entity: unknown };
}

export interface CedarPolicyJson {
  readonly effect: "permit" | "forbid";
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly principal: Scope;
  readonly resource: Scope;
}

/** What a policy's annotations ask for. `votes` are absent where no vote lifts it. */
export interface Demand {
  readonly quarantine: boolean;
  readonly votes?: { readonly roles: ReadonlyMap<string, number>; readonly workflows: readonly string[] };
  readonly stepUp?: string;
}

export interface Rules {
  readonly policies: CedarPolicies;
  readonly demands: ReadonlyMap<string, Demand>;
}

/** Throws FormatError for a bundle that Cedar cannot read. */
export function readRules(cedar: CedarPort, { source, guards, grants, released }: ReplayPolicy): Rules {
  const parts = succeeded(cedar.policySetTextToParts(source.cedar));
  const demands = new Map<string, Demand>();
  const staticPolicies: Record<string, string> = Object.create(null);
  const templates: Record<string, string> = Object.create(null);
  const templateLinks: CedarPolicies["templateLinks"][number][] = [];
  const keep = (json: CedarPolicyJson): { id: string; counts: boolean } => {
    const id = json.annotations?.id;
    if (!id) throw new FormatError("a policy of the bundle has no id");
    const demand = demandOf(json.annotations ?? {});
    demands.set(id, demand);
    return { id, counts: !(released && demand.quarantine) };
  };
  for (const text of parts.policies) {
    const { id, counts } = keep(succeeded(cedar.policyToJson(text)).json);
    if (counts) staticPolicies[id] = text;
  }
  for (const text of parts.policy_templates) {
    const { json } = succeeded(cedar.templateToJson(text));
    const { id, counts } = keep(json);
    if (!counts) continue;
    templates[id] = text;
    for (const grant of grants.filter((one) => one.template === id && fits(json, one))) {
      const newId = `${id}@${grant.id}`;
      demands.set(newId, demands.get(id) ?? { quarantine: false });
      templateLinks.push({ templateId: id, newId, values: valuesOf(grant) });
    }
  }
  const policies = { staticPolicies: { ...staticPolicies, ...guards }, templates, templateLinks };
  return { policies, demands };
}

function succeeded<T extends { type: "success" }>(answer: T | CedarFailure): T {
  if (answer.type === "success") return answer;
  throw new FormatError(`Cedar cannot read it: ${answer.errors.map(({ message }) => message).join("; ")}`);
}

const valuesOf = ({ principal, resource }: ReplayGrant): Record<string, EntityRef> => ({
  ...(principal ? { "?principal": principal } : {}),
  ...(resource ? { "?resource": resource } : {}),
});

const leaves = ["Oars::User", "Oars::Agent", "Oars::Service", "Oars::Tool"];

/** A grant whose template has other holes by now grants nothing; `==` takes no group. */
const fits = (json: CedarPolicyJson, grant: ReplayGrant): boolean =>
  (["principal", "resource"] as const).every((name) => {
    const { op, slot, in: within } = json[name];
    const entity = grant[name];
    if (slot === undefined && !(within && "slot" in within)) return entity === null;
    return entity !== null && (op !== "==" || leaves.includes(entity.type));
  });

/** `role:n` or `workflow:name`, several separated by commas. */
function demandOf(annotations: Readonly<Record<string, string | null>>): Demand {
  const quarantine = Object.hasOwn(annotations, "quarantine");
  if (!Object.hasOwn(annotations, "require_approval")) return { quarantine };
  const roles = new Map<string, number>();
  const workflows: string[] = [];
  for (const part of (annotations.require_approval ?? "").split(",")) {
    const [role = "", rest = ""] = part.trim().split(":");
    const quorum = Number(rest);
    if (role === "workflow") workflows.push(rest);
    else if (role !== "" && Number.isInteger(quorum) && quorum > 0) roles.set(role, quorum);
    else throw new FormatError(`@require_approval(${JSON.stringify(part)}) cannot be read`);
  }
  const { step_up: stepUp } = annotations;
  return { quarantine, votes: { roles, workflows }, ...(stepUp ? { stepUp } : {}) };
}
