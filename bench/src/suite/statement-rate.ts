/** How many statements a contender has run, wherever its database is. */
import type { Databases } from "../databases.ts";
import { type Figure, figure } from "./outcome.ts";

export type StatementCount = () => Promise<number>;

/** Of a counted database of the server, or what the contender itself counts of its embedded one. */
export const statementsOf =
  (databases: Databases, name: string, own: () => Promise<number | null>): StatementCount =>
  async () =>
    (await own()) ?? (await databases.statements(name));

/** Statements a second of several contenders at the same time, in so many windows. */
export async function statementRates<Who>(
  counts: ReadonlyMap<Who, StatementCount>,
  windows: number,
  seconds: number,
): Promise<Map<Who, Figure>> {
  const rates = new Map<Who, number[]>();
  for (let window = 0; window < windows; window++) {
    const before = await readAll(counts);
    await new Promise((done) => setTimeout(done, seconds * 1000));
    const after = await readAll(counts);
    for (const [who, { n, at }] of after) {
      const first = before.get(who);
      if (first) rates.set(who, [...(rates.get(who) ?? []), ((n - first.n) * 1000) / (at - first.at)]);
    }
  }
  return new Map([...rates].map(([who, values]) => [who, figure("/s", values)]));
}

async function readAll<Who>(
  counts: ReadonlyMap<Who, StatementCount>,
): Promise<Map<Who, { n: number; at: number }>> {
  const read = async ([who, count]: readonly [Who, StatementCount]) =>
    [who, { n: await count(), at: performance.now() }] as const;
  return new Map(await Promise.all([...counts].map(read)));
}
