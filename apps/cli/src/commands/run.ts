import type { Command } from "commander";
import {
  addCommand,
  addGroup,
  type CommandHost,
  collect,
  type PageOptions,
  pageOf,
  pageOptions,
  wholeNumber,
} from "../command.ts";
import { more } from "../paging.ts";
import { itemTable, renderRun, runTable } from "../run-text.ts";
import type { Session } from "../session.ts";
import { addRunBulk } from "./run-bulk.ts";
import { type MatchOptions, matchOf, matchOptions } from "./run-match.ts";
import { addRunOrders } from "./run-order.ts";
import { startRun } from "./run-start.ts";
import { watchRun } from "./run-watch.ts";

export function addRun(program: Command, host: CommandHost): void {
  const run = addGroup(program, "run", "Runs of flows");
  addCommand(run, host, "start <flow>", "Start a run", startRun)
    .option("--param <name=value>", "a parameter as text, or as JSON with name:=value; repeatable", collect)
    .option("--param-file <name=file>", "a parameter whose text is in a file; repeatable", collect)
    .option("--params <file>", "JSON object with parameters, or - for standard input")
    .option("--flow-version <version>", "another version than the highest")
    .option("--label <name=value>", "a label; repeatable", collect)
    .option("--priority <n>", "-100 to 100, higher first", wholeNumber(-100, 100))
    .option("--wait", "wait until it has ended (exit 1 unless completed) or a person must act (exit 2)")
    .option("--timeout <time>", "with --wait: at most so long, as in 30s or 10m (exit 2)")
    .option("--idempotency-key <key>", "the same key again gives the same run");
  addCommand(run, host, "watch <id>", "Show what happens, live, until the run has ended", watchRun).option(
    "--after <n>",
    "go on after the event of this number",
    wholeNumber(0, 999_999_999),
  );
  matchOptions(pageOptions(addCommand(run, host, "list", "List runs, newest first", list)), collect);
  addCommand(run, host, "show <id>", "Show a run with its steps", show);
  pageOptions(addCommand(run, host, "items <id> <step>", "Show the items of a step with forEach", items));
  addRunOrders(run, host);
  addRunBulk(run, host);
}

async function list(session: Session, options: PageOptions & MatchOptions): Promise<void> {
  const query = { ...pageOf(options), ...matchOf(options) };
  const page = await (await session.client()).runs.list(query).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no such runs. Start one: oars run start FLOW\n"
      : runTable(page.items, session.now()) + more(page),
  );
}

async function show(session: Session, _options: object, id: string): Promise<void> {
  const run = await (await session.client()).runs.get(id);
  session.show(run, () => renderRun(run, session.now()));
}

async function items(session: Session, options: PageOptions, id: string, step: string): Promise<void> {
  const page = await (await session.client()).runs.items(id, step, pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0 ? "No item has begun.\n" : itemTable(page.items) + more(page),
  );
}
