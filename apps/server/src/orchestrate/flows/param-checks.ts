/** Checks of declared parameters and of the webhooks that fill them. */
import type { Draft } from "./draft.ts";
import { didYouMean } from "./near-names.ts";
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
  for (const { index, slug, params } of draft.webhooks) {
    const path = ["triggers", index, "webhook"];
    if (slug !== null && slugs.has(slug)) {
      problems.push({
        path: [...path, "slug"],
        code: "TRIGGER_SLUG_TWICE",
        message: `"${slug}" stands here twice`,
      });
    }
    if (slug !== null) slugs.add(slug);
    if (params === null) continue;
    for (const name of Object.keys(params)) {
      if (draft.params.has(name)) continue;
      const message = `The flow has no parameter "${name}".${didYouMean(name, draft.params.keys())}`;
      problems.push({ path: [...path, "params", name], code: "TRIGGER_PARAM_UNKNOWN", message, on: "key" });
    }
    for (const [name, param] of draft.params) {
      if (param.required !== true || Object.hasOwn(param, "default") || Object.hasOwn(params, name)) continue;
      const message = `the required parameter "${name}" is missing, so no request could start a run`;
      problems.push({ path: [...path, "params"], code: "TRIGGER_PARAM_MISSING", message, on: "key" });
    }
  }
  return problems;
}
