/** The form that every command has: `--json`, a session, an exit code. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { createSession, type Host, type Session } from "./session.ts";

export interface CommandHost extends Host {
  /** Called with the exit code of the command that ran. */
  readonly end: (exitCode: number) => void;
}

// biome-ignore lint/suspicious/noExplicitAny: commander hands over what the command's own declaration says
type Handler = (session: Session, options: any, ...args: any[]) => Promise<number> | Promise<void>;

/** Adds a command. `usage` is its name and arguments, as in `show <id>`. The handler answers the exit code; nothing is 0. */
export function addCommand(
  parent: Command,
  host: CommandHost,
  usage: string,
  summary: string,
  handle: Handler,
): Command {
  return parent
    .command(usage)
    .description(summary)
    .option("--json", "print JSON for programs")
    .action(async (...given: unknown[]) => {
      const options = given.at(-2) as { json?: boolean }; // commander: arguments, options, command
      const session = createSession(host, options.json === true);
      host.end((await handle(session, options, ...given.slice(0, -2))) ?? 0);
    });
}

/** A command that only holds others. */
export const addGroup = (program: Command, name: string, summary: string): Command =>
  program.command(name).description(summary);

export const pageOptions = (command: Command): Command =>
  command
    .addOption(
      new Option("--limit <n>", "items to show, 1 to 200").default(50).argParser(wholeNumber(1, 200)),
    )
    .option("--cursor <cursor>", "go on after an earlier page");

export interface PageOptions {
  readonly limit: number;
  readonly cursor?: string;
}

export const pageOf = ({ limit, cursor }: PageOptions): PageOptions =>
  cursor === undefined ? { limit } : { limit, cursor };

export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };

/** For options that may be given several times. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
