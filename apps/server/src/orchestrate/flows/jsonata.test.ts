import { describe, expect, it } from "vitest";
import { compileJsonata, type JsonataResult, jsonataLimits } from "./jsonata.ts";

async function run(source: string, input: unknown = {}, variables?: Record<string, unknown>) {
  const compiled = compileJsonata(source, Object.keys(variables ?? {}));
  if (!compiled.ok) throw new Error(`${compiled.problem.code}: ${compiled.problem.message}`);
  return compiled.expression.evaluate(input, variables);
}

const compileProblem = (source: string, variables: string[] = []) => {
  const compiled = compileJsonata(source, variables);
  return compiled.ok ? null : compiled.problem;
};

const failure = (result: JsonataResult) => (result.ok ? null : result.problem);

describe("compileJsonata", () => {
  it.each([
    ["1 +", "EXPRESSION_SYNTAX", 3],
    ["a.b[", "EXPRESSION_SYNTAX", 4],
    ["a ) b", "EXPRESSION_SYNTAX", 2],
    ["1 + $now()", "EXPRESSION_REFUSED", 4],
    ["$random()", "EXPRESSION_REFUSED", 0],
    ["$eval('1')", "EXPRESSION_REFUSED", 0],
    ["$map(a, $shuffle)", "EXPRESSION_REFUSED", 8],
    ["2 * $summ(a)", "EXPRESSION_UNKNOWN_NAME", 4],
    ["$item.price", "EXPRESSION_UNKNOWN_NAME", 0],
  ])("refuses %s with %s at offset %i", (source, code, position) => {
    expect(compileProblem(source)).toMatchObject({ code, position });
  });

  it("names the nearest function for a mistyped one", () => {
    expect(compileProblem("$lowercas(a)")?.message).toContain('Did you mean "lowercase"?');
  });

  it("accepts names that the expression binds itself and names that the caller declares", () => {
    for (const source of [
      "($a := 1; $a)",
      "function($x){$x}(2)",
      "a@$l.b[$l.id = id]",
      "a#$i.{'n': $i}",
      "x ?? 1",
    ]) {
      expect(compileProblem(source), source).toBeNull();
    }
    expect(compileProblem("$item.price", ["item"])).toBeNull();
  });

  it("refuses a text of 20,000 open brackets as too deep instead of overflowing", () => {
    expect(compileProblem("(".repeat(20_000))?.code).toBe("EXPRESSION_LIMIT");
    expect(compileProblem("1".repeat(jsonataLimits.source + 1))?.code).toBe("EXPRESSION_LIMIT");
  });
});

describe("evaluate", () => {
  it("gives plain JSON that shares nothing with the input", async () => {
    const input = { rows: [{ n: 1 }, { n: 2 }] };
    const result = await run("rows", input);
    expect(result).toEqual({ ok: true, value: [{ n: 1 }, { n: 2 }] });
    expect(result.ok && result.value).not.toBe(input.rows);
    expect(await run("rows.n", input)).toStrictEqual({ ok: true, value: [1, 2] });
    expect(await run("{'f': function($x){$x}, 'a': 1}")).toStrictEqual({ ok: true, value: { a: 1 } });
    expect(await run("missing")).toStrictEqual({ ok: true, value: undefined });
  });

  it("binds the declared variables", async () => {
    expect(await run("$item.price * 2", {}, { item: { price: 4 } })).toEqual({ ok: true, value: 8 });
  });

  it("never reaches a prototype", async () => {
    for (const source of [
      "constructor",
      "__proto__",
      "toString",
      "a.constructor.constructor",
      "$length.constructor",
    ]) {
      expect(await run(source, { a: {} }), source).toEqual({ ok: true, value: undefined });
    }
    const result = await run('{"__proto__": {"polluted": true}}');
    expect(Object.hasOwn((result as { value: object }).value, "__proto__")).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it("is not charged for time in which the machine does something else", async () => {
    const nobody = new Int32Array(new SharedArrayBuffer(4));
    const paused = {
      get a() {
        Atomics.wait(nobody, 0, 0, jsonataLimits.ms + 100); // the thread sleeps
        return 1;
      },
    };
    expect(await run("a + 1", paused)).toEqual({ ok: true, value: 2 });
  });

  it("reports a failed evaluation as data, with the place", async () => {
    expect(failure(await run("1 + 'a'"))).toMatchObject({ code: "EXPRESSION_FAILED" });
    expect(failure(await run("$error('stop here')"))?.message).toContain("stop here");
  });

  it.each([
    ["an endless loop", "($f := function($n){$f($n+1)}; $f(1))", "EXPRESSION_TIMEOUT"],
    ["endless recursion", "($f := function($n){1 + $f($n)}; $f(1))", "EXPRESSION_LIMIT"],
    [
      "a pattern that backtracks",
      "$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', /(a+)+$/)",
      "EXPRESSION_TIMEOUT",
    ],
    ["a giant range", "[1..9000000]", "EXPRESSION_LIMIT"],
    [
      "a string that doubles",
      "$length($reduce([1..40], function($a, $i){$a & $a}, 'x'))",
      "EXPRESSION_LIMIT",
    ],
    ["a list that doubles", "$reduce([1..40], function($a, $i){$append($a, $a)}, [1])", "EXPRESSION_LIMIT"],
    [
      "a result whose parts repeat without end",
      "$reduce([1..40], function($a, $i){[[$a, $a]]}, 'x')",
      "EXPRESSION_LIMIT",
    ],
  ])("stops %s", async (_name, source, code) => {
    const before = process.threadCpuUsage(); // its own time: a busy machine does not count
    expect(failure(await run(source))?.code).toBe(code);
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(8_000);
  });

  it("charges an evaluation for its own time, not for that of its neighbours", async () => {
    const work = "$sum([1..30000].($ * 2))";
    const all = await Promise.all(Array.from({ length: 60 }, () => run(work)));
    expect(all.every((result) => result.ok)).toBe(true);
  });

  it("pads as JSONata does, without giant strings", async () => {
    expect(await run("$pad('foo', 5)")).toEqual({ ok: true, value: "foo  " });
    expect(await run("$pad('foo', -6, '#!')")).toEqual({ ok: true, value: "#!#foo" });
    expect(await run("$length($pad('', 2000000000))")).toEqual({ ok: true, value: jsonataLimits.items });
  });
});
