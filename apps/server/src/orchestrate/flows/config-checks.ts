/** Holds `with` of a step against the schema of its kind: fields, values that are written out, types that are known. */
import { type Draft, type DraftStep, holdsPlaceholder, objectOf } from "./draft.ts";
import { typeTexts } from "./param-values.ts";
import { hasPlaceholder } from "./placeholders.ts";
import type { Path, Problem } from "./problems.ts";
import { schemaProblems, typeName, valueAt } from "./schema-problems.ts";
import { isSecretField } from "./schema-walk.ts";
import { typeOfText, typesInstead } from "./scope-types.ts";
import type { StepKindInfo } from "./step-kinds.ts";

export function checkConfig(draft: Draft, step: DraftStep, kind: StepKindInfo): Problem[] {
  const config = objectOf(step.config ?? {});
  if (config === null) return []; // the flow's own schema tells it
  const base = ["steps", step.name, "with"];
  const result = kind.config.safeParse(config);
  const issues = result.success
    ? []
    : schemaProblems({ schema: kind.config, data: config, base }, result.error.issues);
  const told = issues.filter(
    ({ path, code }) => code === "FIELD_UNKNOWN" || !isRendered(config, path.slice(base.length)),
  );
  return [...told, ...checkTexts(draft, config, kind, base, [])];
}

/** An expression may render to anything: true when the value at the path, or a part of it, comes from one. */
function isRendered(config: object, path: Path): boolean {
  const value = valueAt(config, path);
  if (value !== undefined) return holdsPlaceholder(value);
  // a missing part of something that is rendered as a whole
  return path.length > 0 && typeof valueAt(config, path.slice(0, -1)) === "string";
}

function checkTexts(draft: Draft, value: unknown, kind: StepKindInfo, base: Path, path: Path): Problem[] {
  if (typeof value === "string") {
    return hasPlaceholder(value)
      ? checkType(draft, value, kind, base, path)
      : checkSecret(value, kind, base, path);
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    checkTexts(draft, part, kind, base, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function checkType(draft: Draft, text: string, kind: StepKindInfo, base: Path, path: Path): Problem[] {
  const known = typeOfText(draft, text, "run");
  const wanted = known === undefined ? null : typesInstead(kind.config, path, known.type);
  if (known === undefined || wanted === null) return [];
  const place = [...base, ...path];
  const message = `must be ${wanted.map(typeName).join(" or ")}`;
  return known.source === null
    ? [{ path: place, code: "FIELD_TYPE", message: `${message}, not text` }]
    : [
        {
          path: place,
          code: "REFERENCE_TYPE",
          message: `${message}; ${known.source} is ${typeTexts[known.type]}`,
        },
      ];
}

function checkSecret(text: string, kind: StepKindInfo, base: Path, path: Path): Problem[] {
  if (text.startsWith("vault:") || !isSecretField(kind.config, path)) return [];
  const message = "a secret stands here in clear; store it and write vault:NAME";
  return [{ path: [...base, ...path], code: "SECRET_IN_CLEAR", message }];
}
