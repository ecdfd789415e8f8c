/** Pieces of wrong definitions, for tests. § marks the place that the problem must name. */
import type { ProblemCode } from "./problem-codes.ts";

export interface ProblemCase {
  readonly what: string;
  readonly code: ProblemCode;
  readonly path: string;
  readonly source: string;
}

export const head = "flow: orders\nversion: 1.0.0\n";

export const of = (what: string, code: ProblemCode, path: string, source: string): ProblemCase => ({
  what,
  code,
  path,
  source,
});

export const whole = (steps: string, top = ""): string => `${head}${top}steps:\n${steps}`;
export const a = "  a: { use: map, with: { value: 1 } }\n";
export const b = "  b: { use: map, needs: [a], with: { value: 2 } }\n";

/** A flow with steps a and b (which needs a), and a step c of the given body. */
export const c = (body: string): string => whole(`${a}${b}  c: { ${body} }\n`);
export const top = (field: string): string => whole(a, `${field}\n`);
export const output = (expression: string): string => `${whole(a)}output: "${expression}"\n`;
export const webhook = (rest: string): string =>
  `webhook: { ${rest}, auth: { hmac: { secret: "vault:key" } }, §params: { xml: "{{ trigger.text }}" } }`;
