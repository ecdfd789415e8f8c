/** Grants: a template of the bundle in force with its holes filled, made and revoked without a publication. */
import type { Bundle, EntityRef } from "./domain.ts";
import { bindTemplate, fillingProblems } from "./template.ts";

export interface Grant {
  /** As policies name it: a TypeID `gnt_…`. */
  readonly id: string;
  readonly template: string;
  readonly principal: EntityRef | null;
  readonly resource: EntityRef | null;
}

/** The bundle with its grants bound. A grant whose template is gone or has other holes grants nothing. */
export function withGrants(bundle: Bundle, grants: readonly Grant[]): Bundle {
  if (grants.length === 0) return bundle;
  const templates = new Map(bundle.templates.map((template) => [template.id, template]));
  const bound = grants.flatMap((grant) => {
    const template = templates.get(grant.template);
    if (template === undefined || fillingProblems(template, grant).length > 0) return [];
    return [bindTemplate(template, grant.id, grant)];
  });
  return { ...bundle, policies: [...bundle.policies, ...bound] };
}
