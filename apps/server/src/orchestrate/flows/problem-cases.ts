/** One wrong definition for each code, for tests. § marks the place that the problem must name. */
import { a, b, c, head, of, output, type ProblemCase, top, webhook, whole } from "./case-parts.ts";
import { constructCases } from "./construct-cases.ts";

const sources: readonly ProblemCase[] = [
  of("text that is not YAML", "SOURCE_SYNTAX", "", "flow: a\nb: [ §}\n"),
  of("a tab as indentation", "SOURCE_TAB", "", "steps:\n§\ta: 1\n"),
  of("a tag of a language", "SOURCE_TAG", "", "flow: §!!js/function 'x'\n"),
  of("a tag that JSON does not have", "SOURCE_TAG", "flow", "flow: !!binary §aGk=\n"),
  of("the key __proto__", "SOURCE_KEY", "__proto__", "§__proto__: { a: 1 }\n"),
  of("a key that is a list", "SOURCE_KEY", "", "? §[a]\n: 1\n"),
  of("a key written twice", "SOURCE_DUPLICATE_KEY", "version", `${head}§version: 2.0.0\n`),
  of("an alias without anchor", "SOURCE_ALIAS", "flow", "flow: §*x\n"),
  of("two documents", "SOURCE_DOCUMENTS", "", "flow: a\n§---\nflow: b\n"),
  of("another version of YAML", "SOURCE_VERSION", "", "§%YAML 1.1\n---\nflow: a\n"),
  of("a NUL in text", "SOURCE_TEXT", "description", 'description: §"a\\0b"\n'),
  of("half a surrogate pair", "SOURCE_TEXT", "description", 'description: §"\\ud800"\n'),
  of("a number that is not finite", "SOURCE_NUMBER", "output", "output: §.inf\n"),
  of("an integer that is not exact", "SOURCE_NUMBER", "output", "output: §12345678901234567890\n"),
  of("too much text", "FLOW_TOO_LARGE", "", `§${"#".repeat(262_145)}`),
  of(
    "deep nesting",
    "FLOW_TOO_DEEP",
    `output${"[0]".repeat(64)}`,
    `output: ${"[".repeat(64)}§[[]]${"]".repeat(64)}\n`,
  ),
];

const fields: readonly ProblemCase[] = [
  of("no steps", "FLOW_STEPS", "steps", `${head}§steps: {}\n`),
  of("a missing field", "FIELD_REQUIRED", "version", "§flow: a\nsteps: { a: { use: map } }\n"),
  of("a missing field of a step", "FIELD_REQUIRED", "steps.x.use", whole("  §x: { needs: [] }\n")),
  of(
    "a value of the wrong type",
    "FIELD_TYPE",
    "steps.c.needs",
    c("use: map, needs: §a, with: { value: 1 }"),
  ),
  of(
    "a value of no type",
    "FIELD_TYPE",
    "steps.c.onError",
    c("use: map, with: { value: 1 }, onError: §contineu"),
  ),
  of("a value out of bounds", "FIELD_VALUE", "limits.parallel", top("limits: { parallel: §65 }")),
  of("a duration without unit", "FIELD_VALUE", "limits.timeout", top('limits: { timeout: §"90" }')),
  of(
    "a secret outside of the vault",
    "FIELD_VALUE",
    "triggers[0].webhook.auth.hmac.secret",
    top("triggers: [ { webhook: { slug: in, auth: { hmac: { secret: §s3cret } } } } ]"),
  ),
  of(
    "a name of the wrong form",
    "FIELD_NAME",
    'steps["1st"]',
    whole("  §1st: { use: map, with: { value: 1 } }\n"),
  ),
  of("an unknown field", "FIELD_UNKNOWN", "steps.c.neeeds", c("use: map, §neeeds: [a], with: { value: 1 }")),
  of(
    "an unknown field of the input",
    "FIELD_UNKNOWN",
    "steps.c.with.valeu",
    c("use: map, with: { §valeu: 1 }"),
  ),
  of(
    "a wrong value of the input",
    "FIELD_VALUE",
    "steps.c.with.mode",
    c("use: map, with: { value: 1, mode: §strct }"),
  ),
  of("an unknown kind", "KIND_UNKNOWN", "steps.c.use", c("use: §http.reqest")),
  of("an unknown version of a kind", "KIND_VERSION_UNKNOWN", "steps.c.use", c("use: §map@9")),
  of(
    "an effect that is not durable",
    "STEP_DURABLE",
    "steps.c.durable",
    c("use: http.request, with: { connection: w, path: /x }, durable: §false"),
  ),
  of(
    "a first wait over the longest",
    "RETRY_BOUNDS",
    "steps.c.retry.max",
    c("use: map, with: { value: 1 }, retry: { initial: 10s, max: §5s }"),
  ),
  of(
    "a secret in clear",
    "SECRET_IN_CLEAR",
    "steps.c.with.token",
    c("use: http.request, with: { connection: w, path: /x, token: §abc }"),
  ),
  of(
    "a default of a secret",
    "SECRET_IN_CLEAR",
    "params.p.default",
    top("params: { p: { type: string, secret: true, default: §abc } }"),
  ),
  of(
    "a default of the wrong type",
    "PARAM_DEFAULT_TYPE",
    "params.p.default",
    top("params: { p: { type: integer, default: §1.5 } }"),
  ),
  of(
    "a default outside of its enum",
    "PARAM_DEFAULT_ENUM",
    "params.p.default",
    top("params: { p: { type: string, enum: [a, b], default: §c } }"),
  ),
  of(
    "an enum of another type",
    "PARAM_ENUM_TYPE",
    "params.p.enum[1]",
    top("params: { p: { type: string, enum: [a, §1] } }"),
  ),
];

const graphs: readonly ProblemCase[] = [
  of(
    "a cycle",
    "FLOW_CYCLE",
    "steps.c.needs",
    whole(
      `  d: { use: map, needs: [c], with: { value: 1 } }\n  c: { use: map, needs: §[d], with: { value: 1 } }\n`,
    ),
  ),
  of(
    "a cycle through goto",
    "FLOW_CYCLE",
    "steps.d.onError.goto",
    whole(
      "  d: { use: map, with: { value: 1 }, onError: { goto: §e } }\n  e: { use: map, with: { value: 1 }, onError: { goto: d } }\n",
    ),
  ),
  of(
    "an unknown need",
    "NEEDS_UNKNOWN",
    "steps.c.needs[1]",
    c("use: map, needs: [a, §zz], with: { value: 1 }"),
  ),
  of("a need of itself", "NEEDS_SELF", "steps.c.needs[0]", c("use: map, needs: [§c], with: { value: 1 }")),
  of(
    "a goto nowhere",
    "GOTO_UNKNOWN",
    "steps.c.onError.goto",
    c("use: map, with: { value: 1 }, onError: { goto: §zz }"),
  ),
  of(
    "a goto to itself",
    "GOTO_SELF",
    "steps.c.onError.goto",
    c("use: map, with: { value: 1 }, onError: { goto: §c }"),
  ),
  of(
    "a goto backwards",
    "GOTO_UPSTREAM",
    "steps.c.onError.goto",
    c("use: map, needs: [b], with: { value: 1 }, onError: { goto: §a }"),
  ),
  of(
    "a goto to a step with needs",
    "GOTO_TARGET_NEEDS",
    "steps.b.needs",
    whole(
      `${a}  b: { use: map, §needs: [a], with: { value: 2 } }\n  c: { use: map, with: { value: 1 }, onError: { goto: b } }\n`,
    ),
  ),
  of(
    "a condition that is text",
    "WHEN_NOT_EXPRESSION",
    "steps.c.when",
    c("use: map, when: §params.x, with: { value: 1 }"),
  ),
  of(
    "a step that never runs",
    "STEP_UNREACHABLE",
    "steps.c.when",
    c("use: map, when: §false, with: { value: 1 }"),
  ),
];

const xml = "params: { xml: { type: string, required: true } }";
const triggers: readonly ProblemCase[] = [
  of(
    "a trigger of a later version",
    "TRIGGER_UNAVAILABLE",
    "triggers[0].cron",
    top("triggers: [ { §cron: '* * * * *' } ]"),
  ),
  of(
    "a slug twice",
    "TRIGGER_SLUG_TWICE",
    "triggers[1].webhook.slug",
    top(
      `${xml}\ntriggers:\n  - ${webhook("slug: x").replace("§", "")}\n  - ${webhook("slug: §x").replace("§params", "params")}`,
    ),
  ),
  of(
    "a parameter that the flow has not",
    "TRIGGER_PARAM_UNKNOWN",
    "triggers[0].webhook.params.xm",
    top(`${xml}\ntriggers:\n  - ${webhook("slug: x").replace("§", "").replace("xml:", "xml: 1, §xm:")}`),
  ),
  of(
    "a parameter that no request gives",
    "TRIGGER_PARAM_MISSING",
    "triggers[0].webhook.params",
    top(`${xml.replace("xml", "json")}\ntriggers:\n  - ${webhook("slug: x")}`),
  ),
];

const expressions: readonly ProblemCase[] = [
  of(
    "an unknown parameter",
    "REFERENCE_UNKNOWN",
    "steps.c.with.value",
    c('use: map, with: { value: "n: {{ §params.xml }}" }'),
  ),
  of("an unknown step", "REFERENCE_UNKNOWN", "output", output("{{ §steps.zz.output }}")),
  of("an unknown field of a step", "REFERENCE_UNKNOWN", "output", output("{{ §steps.a.result }}")),
  of("an unknown field of the run", "REFERENCE_UNKNOWN", "output", output("{{ §run.nmae }}")),
  of("a bare name", "REFERENCE_UNKNOWN", "output", output("{{ §xml }}")),
  of(
    "a reference to itself",
    "REFERENCE_SELF",
    "steps.c.with.value",
    c('use: map, with: { value: "{{ §steps.c.output }}" }'),
  ),
  of(
    "a step beside",
    "REFERENCE_NOT_UPSTREAM",
    "steps.c.with.value",
    c('use: map, with: { value: "{{ 1 + §steps.a.output }}" }'),
  ),
  of(
    "a later step",
    "REFERENCE_NOT_UPSTREAM",
    "steps.a.when",
    whole(`  a: { use: map, when: "{{ §steps.b.output }}", with: { value: 1 } }\n${b}`),
  ),
  of("all steps", "REFERENCE_COMPUTED", "output", output("{{ $keys(§steps) }}")),
  of("the whole scope", "REFERENCE_COMPUTED", "output", output("{{ §$$ }}")),
  of("no end", "EXPRESSION_UNCLOSED", "output", output("a: §{{ params.x }")),
  of("a fault", "EXPRESSION_SYNTAX", "output", output("{{ 1 + §) }}")),
  of("no content", "EXPRESSION_SYNTAX", "output", output("{{§ }}")),
  of("the time", "EXPRESSION_REFUSED", "output", output("{{ §$now() }}")),
  of("an unknown function", "EXPRESSION_UNKNOWN_NAME", "output", output("{{ §$summ([1]) }}")),
  of("too much depth", "EXPRESSION_LIMIT", "output", output(`{{§ ${"(".repeat(20_000)} }}`)),
];

export const problemCases: readonly ProblemCase[] = [
  ...sources,
  ...fields,
  ...graphs,
  ...triggers,
  ...expressions,
  ...constructCases,
];
