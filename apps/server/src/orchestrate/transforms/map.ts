import { strictObject, unknown } from "zod";
import type { FieldProblem } from "#platform/kernel";
import { convert } from "./conversion.ts";
import { createExpressions } from "./expression.ts";
import { compileMapping, type Plan } from "./mapping.ts";
import { toPlainJson } from "./plain-json.ts";
import { defineTransform, failure, failureOf, success, type Transform } from "./transform.ts";

/** One mapping as it is computed: what it reads, by when it must end, what went wrong. */
interface Work {
  readonly input: unknown;
  readonly until: number;
  readonly problems: FieldProblem[];
}

const absent = Symbol("absent");
/** Bounds all expressions of one mapping together; each one is bounded by `jsonataLimits.ms` by itself. */
const mappingMs = 5_000;

/**
 * `map`: computes an object (or any value) from `input` with JSONata. `mapping` is target key to
 * expression, constant, `{ from, type, optional, default }` or nested object; or one expression for all.
 * A field is required unless `optional` or `default` says otherwise; every faulty field is reported.
 * Fails with MAP_FIELD_MISSING, MAP_TYPE, MAP_EXPRESSION, MAP_MAPPING, MAP_KEY_FORBIDDEN, MAP_TIMEOUT,
 * MAP_LIMIT, MAP_TOO_DEEP, MAP_TOO_LARGE, MAP_CHARACTER, MAP_NUMBER, MAP_VALUE.
 */
export function createMap(): Transform {
  const expressions = createExpressions();
  const config = strictObject({
    input: unknown(),
    mapping: unknown().superRefine((mapping, context) => {
      for (const { path, code, message } of compileMapping(mapping, expressions).problems) {
        const at = path === "" ? [] : path.split(".");
        context.addIssue({ code: "custom", message, path: at, params: { code } });
      }
    }),
  });

  return defineTransform({
    name: "map",
    config,
    async run({ input, mapping }) {
      const work: Work = { input, until: performance.now() + mappingMs, problems: [] };
      const value = await evaluate(compileMapping(mapping, expressions).plan, [], work);
      const [first, ...rest] = work.problems;
      if (first !== undefined) return failureOf([first, ...rest]);
      const plain = toPlainJson(value === absent ? null : value);
      return plain.ok
        ? success(plain.value)
        : failure(`MAP_${plain.kind}`, plain.message, { path: plain.path });
    },
  });
}

async function evaluate(plan: Plan, path: readonly string[], work: Work): Promise<unknown> {
  if (plan.kind === "constant") return plan.value;
  if (plan.kind === "object") {
    const made: Record<string, unknown> = {};
    for (const [key, member] of plan.members) {
      const value = await evaluate(member, [...path, key], work);
      if (value !== absent) made[key] = value;
    }
    return made;
  }
  const at = path.join(".");
  const name = at === "" ? "The mapping" : at;
  if (work.problems.at(-1)?.code === "MAP_TIMEOUT") return absent;
  if (performance.now() > work.until) {
    const message = `${name}: the mapping takes longer than ${mappingMs} ms.`;
    work.problems.push({ path: at, code: "MAP_TIMEOUT", message });
    return absent;
  }
  const pending = plan.from.evaluate(work.input);
  const found = pending instanceof Promise ? await pending : pending;
  if (found.ok) return settle(plan, found.value, at, work.problems);
  work.problems.push({ path: at, code: found.code, message: `${name}: ${found.message}` });
  return absent;
}

function settle(
  plan: Plan & { kind: "field" },
  value: unknown,
  path: string,
  problems: FieldProblem[],
): unknown {
  const name = path === "" ? "The mapping" : path;
  const given = value !== undefined && value !== null;
  // `array` turns nothing into [], unless the author has said what nothing means.
  const asArray = plan.type === "array" && (given || (plan.fallback === undefined && !plan.optional));
  const converted = given || asArray ? convert(value, plan.type) : undefined;
  if (converted?.ok === true) return converted.value;
  if (converted?.missing === false) {
    problems.push({
      path,
      code: "MAP_TYPE",
      message: `${name}: ${converted.message} (wanted: ${plan.type}).`,
    });
    return absent;
  }
  if (plan.type === undefined && value === null) return null;
  if (plan.fallback !== undefined) return plan.fallback.value;
  if (plan.optional) return absent;
  const state = value === undefined ? "gives nothing" : value === null ? "gives null" : "gives blank text";
  const hint = "mark the field optional or give it a default";
  const message = `${name}: \`${plan.from.source.slice(0, 80)}\` ${state}; ${hint}.`;
  problems.push({ path, code: "MAP_FIELD_MISSING", message });
  return absent;
}
