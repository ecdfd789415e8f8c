import type { Page } from "@oars/contract";
import { OarsClientError } from "./errors.ts";

/** A list of the server: `for await` gives every item, asking for further pages when they are needed. */
export interface Listing<T> extends AsyncIterable<T> {
  /** The first page alone. */
  page(): Promise<Page<T>>;
  /** Page by page. */
  pages(): AsyncIterable<Page<T>>;
}

/** A list's own filter, with the page fields that all lists share. */
export type ListQuery<Filter = object> = Omit<Filter, "limit" | "cursor"> & {
  /** Items of one page, 1 to 200; 50 when absent. */
  readonly limit?: number | undefined;
  /** `nextCursor` of a page seen before: the list goes on after it. */
  readonly cursor?: string | undefined;
};

export function toListing<T>(
  read: (cursor: string | undefined) => Promise<Page<T>>,
  start?: string | undefined,
): Listing<T> {
  async function* pages(): AsyncGenerator<Page<T>, void> {
    for (let cursor = start; ; ) {
      const page = await read(cursor);
      yield page;
      if (page.nextCursor === null) return;
      if (page.nextCursor === cursor) {
        throw new OarsClientError("CLIENT_ANSWER_INVALID", "a page names itself as the next one");
      }
      cursor = page.nextCursor;
    }
  }
  return {
    page: () => read(start),
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) yield* page.items;
    },
  };
}

/** The same form for lists that the server gives in one piece. */
export const wholeListing = <T>(read: () => Promise<{ readonly items: T[] }>): Listing<T> =>
  toListing(async () => ({ items: (await read()).items, nextCursor: null }));
