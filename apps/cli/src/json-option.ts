import { parseJson, parseJsonObject, readSource } from "./files.ts";
import type { Session } from "./session.ts";

/** How an option takes JSON, for its help. */
export const jsonForm = "as JSON, from a file with @FILE or from standard input with @-";

/** JSON that stands in an option, or in the file that it names. Throws RefusedError with the place where it breaks. */
export async function jsonOf(session: Session, given: string, option: string): Promise<unknown> {
  return parseJson(...(await textOf(session, given, option)));
}

/** The same for one object. */
export async function objectOf(
  session: Session,
  given: string,
  option: string,
): Promise<Record<string, unknown>> {
  return parseJsonObject(...(await textOf(session, given, option)));
}

async function textOf(
  session: Session,
  given: string,
  option: string,
): Promise<[text: string, name: string]> {
  if (!given.startsWith("@")) return [given, option];
  return [await readSource(given.slice(1), session.terminal), given.slice(1)];
}
