/** Checks of declared parameters and of the webhooks that fill them. */
import type { Draft } from "./draft.ts";
import { checkGivenParams } from "./given-params.ts";
import { isParamType, valueFault } from "./param-values.ts";
import type { Problem } from "./problems.ts";

export function checkParamDeclarations(draft: Draft): Problem[] {
  const problems: Problem[] = [];
  for (const [name, param] of draft.params) {
    const path = ["params", name];
    const { type } = param;
    const allowed: unknown[] | undefined = Array.isArray(param.enum) ? param.enum : undefined;
    if (param.secret === true && Object.hasOwn(param, "default")) {
      const message = "a secret has no default: it would stand here in clear";
      problems.push({ path: [...path, "default"], code: "SECRET_IN_CLEAR", message });
    }
    if (!isParamType(type)) continue;
    for (const [index, value] of (allowed ?? []).entries()) {
      const fault = valueFault(type, undefined, value);
      if (fault)
        problems.push({ path: [...path, "enum", index], code: "PARAM_ENUM_TYPE", message: fault.message });
    }
    if (!Object.hasOwn(param, "default")) continue;
    const fault = valueFault(type, allowed, param.default);
    if (fault) {
      const code = fault.code === "PARAM_TYPE" ? "PARAM_DEFAULT_TYPE" : "PARAM_DEFAULT_ENUM";
      problems.push({ path: [...path, "default"], code, message: fault.message });
    }
  }
  return problems;
}

export function checkWebhooks(draft: Draft): Problem[] {
  const problems: Problem[] = [];
  const slugs = new Set<string>();
  for (const { index, slug, params, respond } of draft.webhooks) {
    const path = ["triggers", index, "webhook"];
    if (slug !== null && slugs.has(slug)) {
      const message = `"${slug}" stands here twice`;
      problems.push({ path: [...path, "slug"], code: "TRIGGER_SLUG_TWICE", message });
    }
    if (slug !== null) slugs.add(slug);
    if (respond !== null && respond.timeout !== undefined && respond.mode !== "sync") {
      const message = "only a synchronous answer is waited for; write mode: sync or remove this line";
      problems.push({ path: [...path, "respond", "timeout"], code: "RESPOND_NOT_SYNC", message, on: "key" });
    }
    if (params === null) continue;
    problems.push(
      ...checkGivenParams(draft, {
        by: "TRIGGER",
        flow: "The flow",
        declared: draft.params,
        given: params,
        path: [...path, "params"],
        otherwise: "no request could start a run",
      }),
    );
  }
  return problems;
}
