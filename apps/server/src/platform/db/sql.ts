/** A statement with its values kept apart: nothing that a caller sends is ever part of the text. */
export interface Sql {
  readonly text: string;
  readonly values: readonly unknown[];
}

const isSql = (value: unknown): value is Sql =>
  typeof value === "object" && value !== null && "text" in value && "values" in value;

/** Tagged template: each value becomes `$n`; a nested statement is inlined with its values renumbered. */
export function sql(strings: TemplateStringsArray, ...values: unknown[]): Sql {
  const out: unknown[] = [];
  let text = strings[0] ?? "";
  values.forEach((value, i) => {
    if (isSql(value)) {
      const base = out.length;
      text += value.text.replace(/\$(\d+)/g, (_, n: string) => `$${Number(n) + base}`);
      out.push(...value.values);
    } else {
      out.push(value);
      text += `$${out.length}`;
    }
    text += strings[i + 1] ?? "";
  });
  return { text, values: out };
}

/** An empty fragment, for optional clauses. */
export const nothing: Sql = { text: "", values: [] };
