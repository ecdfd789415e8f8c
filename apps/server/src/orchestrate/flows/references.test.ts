import { describe, expect, it } from "vitest";
import { compileExpression } from "./expression.ts";

function readsOf(source: string): string[] {
  const compiled = compileExpression(source, "here");
  if (!compiled.ok) throw new Error(compiled.message);
  return compiled.expression.references.map((use) =>
    "computed" in use
      ? `computed@${use.offset}`
      : `${[use.root, use.name, use.field].filter((part) => part !== null).join(".")}@${use.offset}`,
  );
}

describe("references", () => {
  it.each([
    ["params.a", ["params.a@0"]],
    ["  params.a", ["params.a@2"]],
    ["$.params.a + $$.params.b", ["params.a@2", "params.b@16"]],
    ["steps.a.output[params.x = 1]", ["steps.a.output@0"]],
    ["steps.a.output[$$.params.x = 1]", ["steps.a.output@0", "params.x@18"]],
    ["steps.a.output.(params.x)", ["steps.a.output@0"]],
    ["steps.a.output.{'k': params.x}", ["steps.a.output@0"]],
    ["{'k': params.x}", ["params.x@6"]],
    ["[params.x, params.y]", ["params.x@1", "params.y@11"]],
    ["$map(params.x, function($v){ params.y })", ["params.x@5", "params.y@29"]],
    ["params.x ~> $sum", ["params.x@0"]],
    ["params.x ~> |steps.b|{'c': params.y}|", ["params.x@0"]],
    ["($p := params; $p.x)", ["params@7"]],
    ["params.x ? params.y : run.id", ["params.x@0", "params.y@11", "run.id@22"]],
    ["params.rows^(price).id", ["params.rows@0"]],
    ["params.rows@$r.items.($r.id)", ["params.rows.items@0"]],
    ["params.rows.items.%.id", ["params.rows.items@0"]],
    ["params.rows{id: $sum(price)}", ["params.rows@0"]],
    ["trigger", ["trigger@0"]],
    ["steps.'a b'.output", ["steps.a b.output@0"]],
  ])("finds what %s reads", (source, expected) => {
    expect(readsOf(source)).toEqual(expected);
  });

  it.each([
    "$keys(steps)",
    "steps.*.output",
    "steps[0]",
    "steps.**",
    "*.a",
    "**.secret",
    "$",
    "$$",
    "$lookup($$, 'steps')",
    "($s := $$; $s.steps.b)",
    "params.%.steps.b",
    "steps.a.%.b",
    "params@$p.steps.b",
    "steps.a@$s.b.output",
    "$$.*",
    "function($x){ $x }($)",
  ])("refuses %s, which reads what its text does not show", (source) => {
    expect(readsOf(source).some((read) => read.startsWith("computed"))).toBe(true);
  });
});
