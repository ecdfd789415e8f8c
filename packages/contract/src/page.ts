import { z } from "zod";

/** Largest page that a list returns; a larger `limit` is an error, not a silent cut. */
export const maxPageSize = 200;

/** The query fields of every list. `cursor` is the `nextCursor` of the page before, passed back unread. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(maxPageSize).default(50),
  cursor: z.string().min(1).max(512).optional(),
});

/** One page, newest first unless the list says otherwise. `nextCursor` is null on the last page. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() });

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}
