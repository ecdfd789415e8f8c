/** Wrong uses of forEach, gate, cache, wait, concurrency and of the types of references, for tests. */
import { a, c, of, type ProblemCase, top, whole } from "./case-parts.ts";

const params =
  "params: { n: { type: integer }, list: { type: array }, pin: { type: string, secret: true }, text: { type: string } }\n";

/** A step `c` of the kind map with more fields, in a flow with parameters. */
const step = (fields: string, value = "1"): string =>
  whole(`${a}  c: { use: map, with: { value: ${value} }, ${fields} }\n`, params);
const wait = (config: string, more = ""): string =>
  whole(`  c: { use: wait, with: ${config}${more} }\n`, params);
const http = (config: string): string =>
  whole(`  c: { use: http.request, with: { connection: w, ${config} } }\n`, params);
const forEach = (fields: string, value = "1"): string => step(`forEach: { ${fields} }`, value);
const gate = (fields: string): string => step(`gate: { question: "Go on?", ${fields} }`);
const hook = (rest: string): string =>
  `triggers: [ { webhook: { slug: in, auth: { hmac: { secret: "vault:key" } }, ${rest} } } ]`;

const repetition: readonly ProblemCase[] = [
  of("items that are text", "FOREACH_NOT_A_LIST", "steps.c.forEach.items", forEach("items: §orders")),
  of(
    "items of a longer text",
    "FOREACH_NOT_A_LIST",
    "steps.c.forEach.items",
    forEach('items: §"{{ params.list }}!"'),
  ),
  of("items that are no list", "FIELD_TYPE", "steps.c.forEach.items", forEach("items: §5")),
  of("items of another type", "REFERENCE_TYPE", "steps.c.forEach.items", forEach('items: §"{{ params.n }}"')),
  of(
    "a key that every item has",
    "FOREACH_KEY_CONSTANT",
    "steps.c.forEach.key",
    forEach('items: "{{ params.list }}", key: §"{{ params.n }}"'),
  ),
  of(
    "too many items at once",
    "FIELD_VALUE",
    "steps.c.forEach.concurrency",
    forEach('items: "{{ params.list }}", concurrency: §1001'),
  ),
  of(
    "an unknown field of forEach",
    "FIELD_UNKNOWN",
    "steps.c.forEach.item",
    forEach('items: "{{ params.list }}", §item: 1'),
  ),
  of(
    "items that read an item",
    "REFERENCE_SCOPE",
    "steps.c.forEach.items",
    forEach('items: "{{ §item.parts }}"'),
  ),
  of(
    "a condition that reads an item",
    "REFERENCE_SCOPE",
    "steps.c.when",
    step('forEach: { items: "{{ params.list }}" }, when: "{{ §item.open }}"'),
  ),
  of("an item without forEach", "REFERENCE_SCOPE", "steps.c.with.value", step("needs: [a]", '"{{ §item }}"')),
  of(
    "a key that reads the key",
    "REFERENCE_SCOPE",
    "steps.c.forEach.key",
    forEach('items: "{{ params.list }}", key: "{{ index & §key }}"'),
  ),
  of(
    "a field of the index",
    "REFERENCE_TYPE",
    "steps.c.with.value",
    forEach('items: "{{ params.list }}"', '"{{ §index.x }}"'),
  ),
  of(
    "errors of a step without forEach",
    "REFERENCE_UNKNOWN",
    "output",
    `${whole(a)}output: "{{ §steps.a.errors }}"\n`,
  ),
];

const gates: readonly ProblemCase[] = [
  of("an option twice", "GATE_OPTION_TWICE", "steps.c.gate.options[1]", gate("options: [abort, §abort]")),
  of("no options", "FIELD_VALUE", "steps.c.gate.options", gate("options: §[]")),
  of("an unknown option", "FIELD_VALUE", "steps.c.gate.options[0]", gate("options: [§contine]")),
  of(
    "a default that is no option",
    "GATE_DEFAULT_OPTION",
    "steps.c.gate.default",
    gate("options: [continue, retry], timeout: 1d, default: §abort"),
  ),
  of(
    "a default that is never taken",
    "GATE_DEFAULT_TIMEOUT",
    "steps.c.gate.default",
    gate("§default: abort"),
  ),
  of("an unknown role", "GATE_ROLE_UNKNOWN", "steps.c.gate.approvers[0]", gate("approvers: [§aprover]")),
  of(
    "a gate that could be skipped",
    "GATE_SKIPPABLE",
    "steps.c.skippable",
    step("gate: { question: a }, §skippable: true"),
  ),
  of("a gate without question", "FIELD_REQUIRED", "steps.c.gate.question", step("§gate: { timeout: 1d }")),
  of("the output outside of the question", "REFERENCE_SCOPE", "steps.c.when", step('when: "{{ §output }}"')),
  of(
    "a secret in a question",
    "SECRET_SHOWN",
    "steps.c.gate.question",
    step('gate: { question: "Send {{ §params.pin }}?" }'),
  ),
  of(
    "all parameters in a question",
    "SECRET_SHOWN",
    "steps.c.gate.question",
    step('gate: { question: "Send {{ §params }}?" }'),
  ),
];

const caches: readonly ProblemCase[] = [
  of("a wait from the cache", "CACHE_UNAVAILABLE", "steps.c.cache", wait("{ for: 5m }", ", §cache: {}")),
  of(
    "a run from the cache",
    "CACHE_UNAVAILABLE",
    "steps.c.cache",
    whole("  c: { use: flow@1, with: { flow: x }, §cache: { ttl: 5m } }\n"),
  ),
  of("a cache of no time", "FIELD_VALUE", "steps.c.cache.ttl", step("cache: { ttl: §10ms }")),
  of("an unknown scope", "FIELD_VALUE", "steps.c.cache.scope", step("cache: { scope: §user }")),
];

const waits: readonly ProblemCase[] = [
  of("a wait for nothing", "WAIT_MODE", "steps.c.with", whole("  c: { use: wait, §with: {} }\n")),
  of(
    "a wait for two things",
    "WAIT_MODE",
    "steps.c.with",
    whole('  c: { use: wait, §with: { for: 5m, until: "{{ params.text }}" } }\n', params),
  ),
  of("a schema without signal", "WAIT_SIGNAL_ONLY", "steps.c.with.schema", wait("{ for: 5m, §schema: {} }")),
  of(
    "a signal that is computed",
    "SIGNAL_NOT_LITERAL",
    "steps.c.with.signal",
    wait('{ signal: §"{{ params.text }}" }'),
  ),
  of(
    "a schema that is computed",
    "SIGNAL_NOT_LITERAL",
    "steps.c.with.schema",
    wait('{ signal: paid, schema: §{ const: "{{ params.text }}" } }'),
  ),
  of("a schema that is none", "SIGNAL_SCHEMA", "steps.c.with.schema", wait("{ signal: paid, schema: §5 }")),
];

const runs: readonly ProblemCase[] = [
  of(
    "a key that reads a step",
    "REFERENCE_SCOPE",
    "concurrency.key",
    top('concurrency: { key: "{{ §steps.a.output }}" }'),
  ),
  of(
    "a key that reads the run",
    "REFERENCE_SCOPE",
    "concurrency.key",
    top('concurrency: { key: "{{ §run.id }}" }'),
  ),
  of(
    "a secret as a key",
    "SECRET_SHOWN",
    "concurrency.key",
    top(`${params}concurrency: { key: "{{ §params.pin }}" }`),
  ),
  of("an unknown mode", "FIELD_VALUE", "concurrency.mode", top("concurrency: { key: a, mode: §drop }")),
  of("no key", "FIELD_REQUIRED", "concurrency.key", top("§concurrency: { limit: 1 }")),
  of("a priority out of bounds", "FIELD_VALUE", "priority", top("priority: §101")),
  of("no runs at all", "FIELD_VALUE", "limits.runs", top("limits: { runs: §0 }")),
  of(
    "a bound on no wait",
    "RESPOND_NOT_SYNC",
    "triggers[0].webhook.respond.timeout",
    top(hook("respond: { §timeout: 5s }")),
  ),
  of(
    "too long a wait",
    "FIELD_VALUE",
    "triggers[0].webhook.respond.timeout",
    top(hook("respond: { mode: sync, timeout: §61s }")),
  ),
];

const types: readonly ProblemCase[] = [
  of(
    "a field of text",
    "REFERENCE_TYPE",
    "steps.c.with.value",
    step("needs: [a]", '"{{ §params.text.length }}"'),
  ),
  of("a field of the run's id", "REFERENCE_TYPE", "output", `${whole(a)}output: "{{ §run.id.x }}"\n`),
  of("a number in place of text", "REFERENCE_TYPE", "steps.c.with.path", http('path: §"{{ params.n }}"')),
  of(
    "text in place of a number",
    "FIELD_TYPE",
    "steps.c.with.retries",
    http('path: /x, retries: §"1{{ params.n }}"'),
  ),
  of(
    "a list in place of one of a few words",
    "REFERENCE_TYPE",
    "steps.c.with.method",
    http('path: /x, method: §"{{ params.list }}"'),
  ),
  of(
    "a status in place of headers",
    "REFERENCE_TYPE",
    "steps.c.with.headers",
    whole(
      `${a}  c: { use: http.request, needs: [a], with: { connection: w, path: /x, headers: §"{{ steps.a.status }}" } }\n`,
    ),
  ),
  of(
    "an unknown field of the request",
    "REFERENCE_UNKNOWN",
    "triggers[0].webhook.params.text",
    top(`${params}${hook('params: { text: "{{ §trigger.body }}" }')}`),
  ),
  of(
    "a step in a webhook",
    "REFERENCE_SCOPE",
    "triggers[0].webhook.params.text",
    top(`${params}${hook('params: { text: "{{ §steps.a.output }}" }')}`),
  ),
  of(
    "text of a request as a number",
    "REFERENCE_TYPE",
    "triggers[0].webhook.params.n",
    top(`${params}${hook('params: { n: §"{{ trigger.text }}" }')}`),
  ),
  of(
    "a parameter of another type",
    "TRIGGER_PARAM_TYPE",
    "triggers[0].webhook.params.n",
    top(`${params}${hook("params: { n: §a }")}`),
  ),
  of(
    "a parameter outside of its enum",
    "TRIGGER_PARAM_ENUM",
    "triggers[0].webhook.params.e",
    top(`params: { e: { type: string, enum: [x, y] } }\n${hook("params: { e: §z }")}`),
  ),
  of(
    "a secret parameter in clear",
    "SECRET_IN_CLEAR",
    "triggers[0].webhook.params.pin",
    top(`${params}${hook("params: { pin: §abc }")}`),
  ),
];

const children: readonly ProblemCase[] = [
  of(
    "a flow that is computed",
    "CHILD_NOT_LITERAL",
    "steps.c.with.flow",
    whole('  c: { use: flow, with: { flow: §"{{ params.text }}" } }\n', params),
  ),
  of(
    "a version that is computed",
    "CHILD_NOT_LITERAL",
    "steps.c.with.version",
    c('use: flow, with: { flow: x, version: §"{{ run.version }}" }'),
  ),
];

export const constructCases: readonly ProblemCase[] = [
  ...repetition,
  ...gates,
  ...caches,
  ...waits,
  ...runs,
  ...types,
  ...children,
];
