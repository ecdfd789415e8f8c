import type { Page } from "@oars/sdk";

/** How to see the rest of a list. */
export const more = ({ nextCursor }: Pick<Page<unknown>, "nextCursor">): string =>
  nextCursor === null ? "" : `\nThere are more: add --cursor ${nextCursor}\n`;
