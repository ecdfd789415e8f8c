import type { RunEvent } from "@oars/sdk";
import { openQuestions } from "../open-questions.ts";
import type { Session } from "../session.ts";
import { clip, printable } from "../text.ts";
import { absolute } from "../time.ts";

/** One line per event; for programs one JSON object per line. Exit 0 when the run completed, 1 when it failed or was aborted. */
export async function watchRun(session: Session, options: { after?: number }, id: string): Promise<number> {
  const client = await session.client();
  let last = "";
  for await (const event of client.runs.events(id, { after: options.after })) {
    session.terminal.out(session.json ? `${JSON.stringify(event)}\n` : `${lineOf(event)}\n`);
    last = event.type;
    if ((event.type === "step.waiting" || event.type === "step.gated") && !session.json) {
      for (const ask of await openQuestions(client, id)) session.remark(`${ask}\n`);
    }
  }
  return last === "run.completed" ? 0 : 1;
}

interface Details {
  readonly step?: string;
  readonly item?: number;
  readonly operator?: { readonly command?: string; readonly reason?: string };
  readonly attempt?: number;
  readonly ms?: number;
  readonly flow?: string;
  readonly version?: string;
  readonly error?: {
    readonly code?: string;
    readonly message?: string;
    readonly line?: number;
    readonly column?: number;
  };
}

function lineOf(event: RunEvent): string {
  const { step, item, attempt = 1, ms, flow, version, error, operator } = (event.data ?? {}) as Details; // by the type of the event
  const parts = [
    absolute(new Date(event.at)),
    `#${event.seq}`.padEnd(5),
    event.type.padEnd(15),
    item === undefined ? step : `${step}[${item}]`,
    flow === undefined ? undefined : `${flow} ${version}`,
    attempt > 1 ? `attempt ${attempt}` : undefined,
    ms === undefined || ms === 0 ? undefined : `${ms} ms`,
    error === undefined ? undefined : reasonOf(error),
    operator === undefined
      ? undefined
      : `by ${operator.command}${operator.reason ? `: ${clip(operator.reason, 100)}` : ""}`,
  ];
  return printable(
    parts
      .filter((part) => part !== undefined && part !== "")
      .join("  ")
      .trimEnd(),
  );
}

function reasonOf({ code, message = "", line, column }: NonNullable<Details["error"]>): string {
  const place =
    line === undefined ? "" : ` at line ${line}${column === undefined ? "" : `, column ${column}`}`;
  return clip(`${code}${place}: ${message}`, 300);
}
