import { parseArgs } from "node:util";
import { orUsage, positive, type Store, stores } from "../options.ts";

export interface SuiteOptions {
  /** Ids of the parts; all when empty. */
  readonly only: readonly string[];
  readonly stores: readonly Store[];
  readonly rounds: number;
  /** Small numbers and short cells: whether it works, not what it gives. */
  readonly trial: boolean;
  readonly json: string | null;
}

const help = (parts: readonly { id: string; title: string }[]): string => `The full suite of the engine:
${parts.map(({ id, title }) => `  ${id.padEnd(4)} ${title}`).join("\n")}

Options:
  --only B4,B7,postgres     these parts; or one store of ours
  --rounds N                how often the contenders take turns; medians and spread are shown (3)
  --trial                   small and short: whether everything works, figures without worth
  --json FILE               the figures as JSON too; - for standard output instead of tables
`;

export const readSuiteOptions = (parts: readonly { id: string; title: string }[]): SuiteOptions =>
  orUsage(help(parts), () => {
    const { values } = parseArgs({
      options: {
        suite: { type: "string" },
        only: { type: "string", multiple: true, default: [] },
        rounds: { type: "string" },
        trial: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return undefined;
    const words = values.only.flatMap((text) => text.split(",")).filter((word) => word !== "");
    const chosen = stores.filter((store) => words.includes(store));
    const only = words.filter((word) => !stores.some((s) => s === word)).map((word) => word.toUpperCase());
    const unknown = only.filter((id) => !parts.some((part) => part.id === id));
    if (unknown.length > 0) throw new Error(`--only: there is no ${unknown.join(", ")}`);
    return {
      only,
      stores: chosen.length > 0 ? chosen : stores,
      rounds: Math.ceil(positive("rounds", values.rounds, values.trial ? 1 : 3)),
      trial: values.trial,
      json: values.json ?? null,
    };
  });
