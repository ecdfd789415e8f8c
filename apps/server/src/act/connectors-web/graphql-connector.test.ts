import { describe, expect, it } from "vitest";
import { graphqlConnector } from "./graphql-connector.ts";
import { act, site, testOf } from "./testing-site.ts";

const query = (origin: string, input: object, name = "graphql.query") =>
  act(graphqlConnector, { url: `${origin}/graphql`, auth: { bearer: "vault:t" } }, name, input, {
    t: "s3cret-token",
  });

describe("a GraphQL call", () => {
  it("sends document, variables and credentials, and gives the data", async () => {
    await using remote = await site(() => ({ body: { data: { order: { total: 5 } } } }));
    const input = {
      query: "query Q($id: ID!) { order(id: $id) { total } }",
      variables: { id: "7" },
      operationName: "Q",
    };
    expect(await query(remote.origin, input)).toMatchObject({
      status: "completed",
      output: { data: { order: { total: 5 } } },
    });
    expect(remote.asked[0]).toMatchObject({
      method: "POST",
      url: "/graphql",
      headers: { authorization: "Bearer s3cret-token" },
      body: input,
    });
  });

  it.each([
    ["a mutation", { query: "mutation { drop }" }],
    [
      "a mutation that operationName chooses",
      { query: "query A { a } mutation B { b }", operationName: "B" },
    ],
    ["a subscription", { query: "subscription { s }" }],
    ["two operations without a choice", { query: "query A { a } query B { b }" }],
    ["no operation", { query: "fragment F on T { a }" }],
    ["no GraphQL", { query: "select 1" }],
  ])("cannot pass %s as a read: nothing is sent", async (_what, input) => {
    await using remote = await site(() => ({ body: { data: {} } }));
    await expect(query(remote.origin, input)).rejects.toMatchObject({ code: "ACTION_INVALID" });
    expect(remote.asked).toEqual([]);
  });

  it("runs a query that shares its document with a mutation, when it is the one chosen", async () => {
    await using remote = await site(() => ({ body: { data: { a: 1 } } }));
    const input = { query: "query A { a } mutation B { b }", operationName: "A" };
    expect(await query(remote.origin, input)).toMatchObject({ status: "completed" });
  });

  it("that was refused before it ran failed; a mutation that ended in null is unknown", async () => {
    const errors = [{ message: "no such field" }];
    await using refused = await site(() => ({ body: { errors } }));
    await using ended = await site(() => ({ body: { data: null, errors } }));
    const mutation = { query: "mutation { pay }" };
    const failed = {
      status: "failed",
      error: { code: "GRAPHQL_ERRORS", message: "remote answered: no such field." },
    };
    expect(await query(refused.origin, mutation, "graphql.mutate")).toMatchObject(failed);
    expect(await query(ended.origin, { query: "{ a }" })).toMatchObject(failed);
    expect(await query(ended.origin, mutation, "graphql.mutate")).toMatchObject({ status: "unknown" });
  });

  it("that failed in part gives the data and the errors", async () => {
    await using remote = await site(() => ({
      body: { data: { a: 1, b: null }, errors: [{ message: "b" }] },
    }));
    expect(await query(remote.origin, { query: "{ a b }" })).toMatchObject({
      status: "completed",
      output: { data: { a: 1, b: null }, errors: [{ message: "b" }] },
    });
  });

  it("is tested with a query that every schema answers", async () => {
    await using remote = await site((asked) =>
      asked.headers.authorization === "Bearer good"
        ? { body: { data: { __typename: "Query" } } }
        : { status: 401 },
    );
    const config = { url: remote.origin, auth: { bearer: "vault:t" } };
    expect(await testOf(graphqlConnector, config, { t: "good" })).toMatchObject({ ok: true });
    expect(await testOf(graphqlConnector, config, { t: "bad" })).toMatchObject({
      ok: false,
      code: "HTTP_401",
      message: expect.stringContaining("secret"),
    });
  });
});
