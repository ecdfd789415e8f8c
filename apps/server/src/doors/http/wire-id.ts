import { formatId, type IdKind, parseId } from "#platform/kernel";

/** An id as the API shows it. */
export const shown = formatId;

export const shownOrNull = (kind: IdKind, id: string | null): string | null =>
  id === null ? null : formatId(kind, id);

/** The id behind a TypeID that a schema of the contract has let through. */
export function idOf(kind: IdKind, text: string): string {
  const id = parseId(kind, text);
  if (id === undefined) throw new Error(`the contract admits ${kind} ids that the kernel does not read`);
  return id;
}

export const idOrUndefined = (kind: IdKind, text: string | undefined): string | undefined =>
  text === undefined ? undefined : idOf(kind, text);
