import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import type { Operation } from "#act/connector-kit";
import type { HttpSettings } from "./http-config.ts";
import { httpConnector } from "./http-connector.ts";
import { connectionTo, contextOf, localDialer, peer } from "./testing-connection.ts";

const list = httpConnector.operations["http.list"] as Operation<HttpSettings>; // of this name

/** A peer with 25 items in pages of 10; `answer` says how the next page is told. */
const shop = (answer: (items: number[], start: number, url: URL) => { body: unknown; link?: string }) =>
  peer((request: IncomingMessage, response) => {
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
    const start =
      Number(url.searchParams.get("from") ?? 0) || (Number(url.searchParams.get("page") ?? 1) - 1) * 10;
    const items = Array.from({ length: 25 }, (_, i) => i).slice(start, start + 10);
    const { body, link } = answer(items, start, url);
    response.writeHead(200, { "content-type": "application/json", ...(link === undefined ? {} : { link }) });
    response.end(JSON.stringify(body));
  });

async function read(origin: string, input: object) {
  await using dialer = localDialer();
  const connection = connectionTo(`${origin}/v1`);
  return await list.execute(
    contextOf(connection, dialer),
    list.input.parse({ connection: "wms", path: "/items", ...input }),
  );
}

const everything = Array.from({ length: 25 }, (_, i) => i);

describe("a list over many pages", () => {
  it("follows Link headers", async () => {
    await using site = await shop((items, start, url) => ({
      body: items,
      ...(start + 10 < 25
        ? { link: `<${url.origin}/v1/items?from=0>; rel="first", </v1/items?from=${start + 10}>; rel="next"` }
        : {}),
    }));
    expect(await read(site.origin, { next: { link: true } })).toMatchObject({
      status: "completed",
      output: { items: everything, pages: 3, complete: true },
    });
  });

  it("follows cursors and keeps the other parameters", async () => {
    const kinds: (string | null)[] = [];
    await using site = await shop((items, start, url) => {
      kinds.push(url.searchParams.get("kind"));
      return { body: { data: { items }, meta: { next: start + 10 < 25 ? `${start + 10}` : null } } };
    });
    const next = { cursor: "meta.next", parameter: "from" };
    const outcome = await read(site.origin, { query: { kind: "a" }, items: "data.items", next });
    expect(outcome).toMatchObject({ output: { items: everything, pages: 3, complete: true } });
    expect(kinds).toEqual(["a", "a", "a"]);
  });

  it.each([[{ page: "page" }], [{ offset: "from" }]])("counts by %o until a page is empty", async (next) => {
    await using site = await shop((items) => ({ body: items }));
    expect(await read(site.origin, { next })).toMatchObject({
      output: { items: everything, pages: 4, complete: true },
    });
  });

  it.each([
    [{ maxItems: 12 }, 12],
    [{ maxPages: 2 }, 20],
  ])("ends at %o and says that it is not complete", async (limit, count) => {
    await using site = await shop((items) => ({ body: items }));
    const outcome = await read(site.origin, { next: { page: "page" }, ...limit });
    expect(outcome).toMatchObject({
      output: { items: everything.slice(0, count), pages: 2, complete: false },
    });
  });

  it.each(["http://169.254.169.254/latest", "https://evil.test/v1/items", "/v2/items", "/v1/../admin"])(
    "is not led to %s by an answer",
    async (target) => {
      let calls = 0;
      await using site = await shop((items) => {
        calls += 1;
        return { body: items, link: `<${target}>; rel=next` };
      });
      expect(await read(site.origin, { next: { link: true } })).toMatchObject({
        status: "failed",
        error: { code: "LIST_ELSEWHERE" },
      });
      expect(calls).toBe(1);
    },
  );

  it("says where it looked when a page is no list", async () => {
    await using site = await shop(() => ({ body: { rows: 1 } }));
    expect(await read(site.origin, { items: "rows", next: { link: true } })).toMatchObject({
      status: "failed",
      error: { code: "LIST_SHAPE", message: expect.stringContaining("rows") },
    });
  });

  it("fails with a page that fails, retryable as that page is", async () => {
    await using site = await peer((_request, response) =>
      response.writeHead(503, { "retry-after": "2" }).end(),
    );
    expect(await read(site.origin, { next: { link: true } })).toMatchObject({
      status: "failed",
      retryable: true,
      retryAfterMs: 2_000,
    });
  });
});
