/** Definitions whose steps run other flows in a wrong way, for tests, and the flows that they run. */
import { of, type ProblemCase } from "./case-parts.ts";
import type { ShelvedFlow } from "./flow-shelf.ts";

const flow = (name: string, version: string, more: Partial<ShelvedFlow> = {}): ShelvedFlow => ({
  name,
  version,
  isLatest: true,
  params: {},
  calls: [],
  ...more,
});

const chain = Array.from({ length: 9 }, (_, i) =>
  flow(`level-${i + 1}`, "1.0.0", i < 8 ? { calls: [{ flow: `level-${i + 2}`, version: null }] } : {}),
);

export const shelved: readonly ShelvedFlow[] = [
  flow("child", "1.0.0", { isLatest: false }),
  flow("child", "2.0.0", {
    params: {
      id: { type: "string", required: true },
      size: { type: "integer" },
      speed: { type: "string", enum: ["fast", "slow"], default: "slow" },
      pin: { type: "string", secret: true },
    },
  }),
  // runs the newest orders
  flow("back", "1.0.0", { calls: [{ flow: "orders", version: null }] }),
  flow("orders", "0.9.0"),
  ...chain,
];

/** The flow orders 1.0.0, newer than its published version, with one step that runs another. */
const run = (config: string): string =>
  `flow: orders\nversion: 1.0.0\nparams: { n: { type: integer }, o: { type: object }, t: { type: string } }\nsteps:\n  c: { use: flow, with: { ${config} } }\n`;

const at = (field: string): string => `steps.c.with.${field}`;

export const childCases: readonly ProblemCase[] = [
  of("a flow that is not there", "CHILD_UNKNOWN", at("flow"), run("flow: §chlid")),
  of(
    "a version that is not there",
    "CHILD_VERSION_UNKNOWN",
    at("version"),
    run("flow: child, version: §3.0.0"),
  ),
  of("latest as a version", "CHILD_VERSION_UNKNOWN", at("version"), run("flow: child, version: §latest")),
  of(
    "an unknown parameter",
    "CHILD_PARAM_UNKNOWN",
    at("params.sise"),
    run("flow: child, params: { id: a, §sise: 1 }"),
  ),
  of(
    "a parameter of an older version",
    "CHILD_PARAM_UNKNOWN",
    at("params.id"),
    run("flow: child, version: 1.0.0, params: { §id: a }"),
  ),
  of("a missing parameter", "CHILD_PARAM_MISSING", at("params"), run("flow: child, §params: { size: 1 }")),
  of(
    "a parameter of another type",
    "CHILD_PARAM_TYPE",
    at("params.size"),
    run("flow: child, params: { id: a, size: §1.5 }"),
  ),
  of(
    "text with placeholders as a number",
    "CHILD_PARAM_TYPE",
    at("params.size"),
    run('flow: child, params: { id: a, size: §"1{{ params.n }}" }'),
  ),
  of(
    "a parameter outside of its enum",
    "CHILD_PARAM_ENUM",
    at("params.speed"),
    run("flow: child, params: { id: a, speed: §fats }"),
  ),
  of(
    "a reference of another type",
    "REFERENCE_TYPE",
    at("params.id"),
    run('flow: child, params: { id: §"{{ params.n }}" }'),
  ),
  of(
    "text in place of all parameters",
    "REFERENCE_TYPE",
    at("params"),
    run('flow: child, params: §"{{ params.t }}"'),
  ),
  of(
    "a secret in clear",
    "SECRET_IN_CLEAR",
    at("params.pin"),
    run("flow: child, params: { id: a, pin: §abc }"),
  ),
  of("itself", "FLOW_RECURSION", at("flow"), run("flow: §orders")),
  of("its own version", "FLOW_RECURSION", at("flow"), run("flow: §orders, version: 1.0.0")),
  of("itself through another", "FLOW_RECURSION", at("flow"), run("flow: §back")),
  of("nine runs inside of each other", "FLOW_NESTING", at("flow"), run("flow: §level-1")),
];

export const childSources = {
  /** Nothing is wrong with these. */
  right: [
    run('flow: child, params: { id: a, size: 2, speed: fast, pin: "{{ params.t }}" }'),
    run('flow: child, params: { id: "{{ params.t }}-{{ params.n }}", size: "{{ params.n }}" }'),
    run('flow: child, params: "{{ params.o }}"'),
    run("flow: child, version: 1.0.0"),
    run("flow: orders, version: 0.9.0"),
    run("flow: level-2"),
  ],
} as const;
