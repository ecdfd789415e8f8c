/** Reading all pages of a list. Every page stays below the base URL, whatever an answer says. */
import { z } from "zod";
import {
  type CallContext,
  connectionField,
  defineOperation,
  failed,
  isJson,
  type OperationOutcome,
} from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import type { HttpSettings } from "./http-config.ts";
import { type HttpInput, headersField, pathField, queryField } from "./http-input.ts";
import { prepareRequest, targetOf, urlOf } from "./http-request.ts";
import { callWeb, fieldAt, type WebAnswer } from "./web-call.ts";

const parameter = z.string().min(1).max(100);
const dotted = z.string().regex(/^[A-Za-z0-9_@-]{1,100}(?:\.[A-Za-z0-9_@-]{1,100}){0,9}$/, {
  error: "must be a dotted path such as data.items",
});

const listInput = z.strictObject({
  connection: connectionField,
  path: pathField,
  query: queryField.optional(),
  headers: headersField.optional(),
  /** Where the items are in each page; absent: the page itself is the array. */
  items: dotted.optional(),
  /** How the next page is found. */
  next: z.union([
    /** By `Link: <…>; rel="next"` (RFC 8288). */
    z.strictObject({ link: z.literal(true) }),
    /** By a cursor in the page, sent back as a query parameter; none ends the list. */
    z.strictObject({ cursor: dotted, parameter }),
    /** By counting pages, or by items already read. A page without items ends the list. */
    z.strictObject({ page: parameter, first: z.int().min(0).max(1).default(1) }),
    z.strictObject({ offset: parameter }),
  ]),
  maxPages: z.int().min(1).max(1_000).default(100),
  maxItems: z.int().min(1).max(10_000).default(1_000),
});

type ListInput = z.output<typeof listInput>;
type Page = Pick<HttpInput, "path" | "query">;

export const httpList = defineOperation<HttpSettings, ListInput>({
  name: "http.list",
  title: "Read a list page by page",
  description: "Follows an API's pagination with GET requests and gives all items, up to a limit.",
  verbs: ["read"],
  input: listInput,
  output: z.looseObject({ items: z.array(z.json()), pages: z.int(), complete: z.boolean() }),
  meaning: (settings, input) => ({
    verb: "read",
    target: targetOf(settings, requestOf(input, { path: input.path })),
    idempotent: true,
  }),
  execute: listAll,
  emulate: () => ({ items: [], pages: 1, complete: true }),
});

const requestOf = (input: ListInput, page: Page): HttpInput => ({
  connection: input.connection,
  method: "GET",
  ...page,
  ...(input.headers === undefined ? {} : { headers: input.headers }),
});

async function listAll(context: CallContext<HttpSettings>, input: ListInput): Promise<OperationOutcome> {
  const items: Json[] = [];
  const started = performance.now();
  let page: Page = firstPage(input);
  for (let pages = 1; ; pages++) {
    const left = { ...context, timeoutMs: context.timeoutMs - (performance.now() - started) };
    if (left.timeoutMs <= 0)
      return failed("LIST_TIMEOUT", `The list was not read within ${context.timeoutMs} ms.`);
    const outcome = await callWeb(left, () => prepareRequest(left, requestOf(input, page), ""));
    if (outcome.status !== "completed") return outcome;
    const answer = outcome.output as unknown as WebAnswer; // made by outputOf
    const found = input.items === undefined ? answer.body : fieldAt(answer.body, input.items);
    if (!Array.isArray(found) || !isJson(found)) {
      const where = input.items === undefined ? "The page" : `${input.items} of page ${pages}`;
      return failed("LIST_SHAPE", `${where} is no list; \`items\` says where the list is in each page.`);
    }
    for (const item of found.slice(0, input.maxItems - items.length)) items.push(item);
    const next = nextPage(context.connection.settings, input, page, answer, {
      pages,
      read: items.length,
      found: found.length,
    });
    if (next === "elsewhere")
      return failed(
        "LIST_ELSEWHERE",
        "The next page is outside of the connection's base URL; it was not called.",
      );
    const cut = next !== undefined && (items.length >= input.maxItems || pages >= input.maxPages);
    if (next === undefined || cut) {
      return { status: "completed", output: { items, pages, complete: !cut }, http: answer.status };
    }
    page = next;
  }
}

const firstPage = (input: ListInput): Page => ({
  path: input.path,
  query: {
    ...input.query,
    ...("page" in input.next ? { [input.next.page]: input.next.first } : {}),
    ...("offset" in input.next ? { [input.next.offset]: 0 } : {}),
  },
});

function nextPage(
  settings: HttpSettings,
  input: ListInput,
  page: Page,
  answer: WebAnswer,
  so: { readonly pages: number; readonly read: number; readonly found: number },
): Page | "elsewhere" | undefined {
  const { next } = input;
  if ("link" in next) return linked(settings, page, answer.headers.link);
  if ("cursor" in next) {
    const cursor = fieldAt(answer.body, next.cursor);
    const usable = typeof cursor === "number" || (typeof cursor === "string" && cursor !== "");
    return usable ? { path: page.path, query: { ...input.query, [next.parameter]: cursor } } : undefined;
  }
  if (so.found === 0) return undefined;
  const value = "page" in next ? { [next.page]: next.first + so.pages } : { [next.offset]: so.read };
  return { path: page.path, query: { ...input.query, ...value } };
}

/** Hostile input enters here: the address in a Link header. It must lie below the base URL. */
function linked(
  settings: HttpSettings,
  page: Page,
  header: string | undefined,
): Page | "elsewhere" | undefined {
  for (const [, target = "", parameters = ""] of (header ?? "").matchAll(/<([^>]{0,4000})>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)/i.test(parameters)) continue;
    const base = urlOf(settings, page);
    if (!URL.canParse(target, base.href)) return "elsewhere";
    const url = new URL(target, base.href);
    const below = url.origin === settings.origin && url.pathname.startsWith(`${settings.basePath}/`);
    const path = url.pathname.slice(settings.basePath.length);
    if (!below || !pathField.safeParse(path).success) return "elsewhere";
    const query: Record<string, string[]> = {};
    for (const [name, value] of url.searchParams) query[name] = [...(query[name] ?? []), value];
    return { path, query };
  }
  return undefined;
}
