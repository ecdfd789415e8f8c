import { isUuid, OarsError } from "#platform/kernel";

export interface WirePage<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** The row after which a list goes on, from its cursor. Throws CURSOR_INVALID. */
export function afterId(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const id = textOf(cursor);
  if (!isUuid(id)) throw new OarsError("CURSOR_INVALID");
  return id;
}

/** The same for lists that are numbered. */
export function afterNumber(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const text = textOf(cursor);
  if (!/^\d{1,9}$/.test(text)) throw new OarsError("CURSOR_INVALID");
  return Number(text);
}

/** The same for lists that are in the order of names. */
export function afterName(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const text = textOf(cursor);
  if (!/^[\x21-\x7e]{1,300}$/.test(text)) throw new OarsError("CURSOR_INVALID");
  return text;
}

const textOf = (cursor: string): string => Buffer.from(cursor, "base64url").toString("latin1");
export const cursorOf = (key: string | number): string => Buffer.from(String(key)).toString("base64url");

/** One page out of rows of which one more than `limit` was asked for: that one says whether there is more. */
export function pageOfRows<R, T>(
  rows: readonly R[],
  limit: number,
  keyOf: (row: R) => string | number,
  show: (row: R) => T,
): WirePage<T> {
  return pageOfMore(rows.slice(0, limit), rows.length > limit, keyOf, show);
}

/** One page of rows where the service says whether there is more. */
export function pageOfMore<R, T>(
  rows: readonly R[],
  more: boolean,
  keyOf: (row: R) => string | number,
  show: (row: R) => T,
): WirePage<T> {
  const last = rows.at(-1);
  return { items: rows.map(show), nextCursor: more && last !== undefined ? cursorOf(keyOf(last)) : null };
}
