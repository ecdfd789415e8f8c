import { describe, expect, it } from "vitest";
import { confluenceConnector } from "./confluence-connector.ts";
import { jiraConnector } from "./jira-connector.ts";
import { pagerdutyConnector } from "./pagerduty-connector.ts";
import { slackConnector } from "./slack-connector.ts";
import { act, site, testOf } from "./testing-site.ts";

describe("Slack", () => {
  const viaToken = (origin: string) => ({ auth: { token: "vault:t" }, apiUrl: `${origin}/api` });
  const viaHook = (origin: string) => ({ auth: { webhook: "vault:h" }, webhookUrl: origin });

  it("gets messages through the Web API with the token, and their place is told", async () => {
    await using remote = await site(() => ({ body: { ok: true, channel: "C01", ts: "1.2" } }));
    const input = { channel: "#alerts", text: "late", thread: "1.1" };
    expect(
      await act(slackConnector, viaToken(remote.origin), "slack.post_message", input, { t: "xoxb-1" }),
    ).toMatchObject({
      status: "completed",
      output: { channel: "C01", ts: "1.2" },
    });
    expect(remote.asked[0]).toMatchObject({
      url: "/api/chat.postMessage",
      headers: { authorization: "Bearer xoxb-1" },
      body: { channel: "#alerts", text: "late", thread_ts: "1.1" },
    });
  });

  it("that answers ok: false with status 200 has refused", async () => {
    await using remote = await site(() => ({ body: { ok: false, error: "channel_not_found" } }));
    const input = { channel: "#x", text: "late" };
    expect(await act(slackConnector, viaToken(remote.origin), "slack.post_message", input)).toMatchObject({
      status: "failed",
      error: { code: "SLACK_CHANNEL_NOT_FOUND" },
    });
    expect(await testOf(slackConnector, viaToken(remote.origin))).toMatchObject({ ok: false });
  });

  it("gets messages through a webhook, whose URL no outcome repeats", async () => {
    await using remote = await site(() => ({ status: 404, body: "no_service" }));
    const hook = `${remote.origin}/services/T0/B0/s3cret`;
    const outcome = await act(
      slackConnector,
      viaHook(remote.origin),
      "slack.post_message",
      { text: "late" },
      { h: hook },
    );
    expect(outcome).toMatchObject({ status: "failed", error: { code: "HTTP_404" } });
    expect(JSON.stringify(outcome)).not.toContain("s3cret");
    expect(remote.asked[0]).toMatchObject({ url: "/services/T0/B0/s3cret", body: { text: "late" } });
  });

  it("is not reached through a secret that leads to another site", async () => {
    await using remote = await site(() => ({ body: "ok" }));
    const config = viaHook("https://hooks.slack.com");
    const secrets = { h: `${remote.origin}/services/x` };
    expect(await act(slackConnector, config, "slack.post_message", { text: "late" }, secrets)).toMatchObject({
      status: "failed",
      error: { code: "NET_URL_INVALID" },
    });
    expect(remote.asked).toEqual([]);
  });

  it.each([
    ["no channel with a token", viaToken("https://a.test"), { text: "x" }],
    ["a channel with a webhook", viaHook("https://a.test"), { text: "x", channel: "#x" }],
  ])("refuses %s", async (_what, config, input) => {
    await expect(act(slackConnector, config, "slack.post_message", input)).rejects.toMatchObject({
      code: "ACTION_INVALID",
      errors: [expect.objectContaining({ path: "input.channel" })],
    });
  });

  it("is tested without posting anything", async () => {
    await using remote = await site((asked) =>
      asked.url === "/hook" ? { status: 400, body: "no_text" } : { body: { ok: true } },
    );
    expect(
      await testOf(slackConnector, viaHook(remote.origin), { h: `${remote.origin}/hook` }),
    ).toMatchObject({ ok: true });
    expect(await testOf(slackConnector, viaToken(remote.origin))).toMatchObject({ ok: true });
    expect(remote.asked.map((one) => [one.url, one.body])).toEqual([
      ["/hook", {}],
      ["/api/auth.test", {}],
    ]);
  });
});

describe("PagerDuty", () => {
  const config = (url: string) => ({ routingKey: "vault:k", url });
  const event = { summary: "late", source: "oars", severity: "error", details: { order: 7 } };

  it("gets one incident for one action, however often it is sent", async () => {
    await using remote = await site((asked) => {
      const { dedup_key } = asked.body as { dedup_key: string }; // what the connector sent
      return { status: 202, body: { status: "success", dedup_key } };
    });
    for (const _attempt of [1, 2]) {
      const outcome = await act(pagerdutyConnector, config(remote.origin), "pagerduty.trigger", event, {
        k: "R0",
      });
      expect(outcome).toMatchObject({
        status: "completed",
        output: { status: "success", dedupKey: "effect-1" },
      });
    }
    expect(remote.asked.map((one) => one.body)).toEqual(
      [1, 2].map(() => ({
        routing_key: "R0",
        event_action: "trigger",
        dedup_key: "effect-1",
        payload: { summary: "late", source: "oars", severity: "error", custom_details: { order: 7 } },
      })),
    );
  });

  it.each(["acknowledge", "resolve"])("is told to %s by the dedup key", async (verb) => {
    await using remote = await site(() => ({ status: 202, body: { status: "success", dedup_key: "o7" } }));
    await act(
      pagerdutyConnector,
      config(remote.origin),
      `pagerduty.${verb}`,
      { dedupKey: "o7" },
      { k: "R0" },
    );
    expect(remote.asked[0]?.body).toEqual({ routing_key: "R0", event_action: verb, dedup_key: "o7" });
  });

  it("that asks to slow down is tried again after the time that it names", async () => {
    await using remote = await site(() => ({ status: 429, headers: { "retry-after": "3" } }));
    expect(await act(pagerdutyConnector, config(remote.origin), "pagerduty.trigger", event)).toMatchObject({
      status: "failed",
      retryable: true,
      retryAfterMs: 3_000,
    });
  });

  it("is tested with an event that it refuses, and the report says what that leaves open", async () => {
    await using remote = await site(() => ({ status: 400, body: { status: "invalid event" } }));
    expect(await testOf(pagerdutyConnector, config(remote.origin), { k: "R0" })).toMatchObject({
      ok: true,
      message: expect.stringContaining("does not say whether the routing key is right"),
    });
  });
});

describe("Jira", () => {
  const config = (url: string) => ({ url, auth: { basic: { username: "a@b.test", password: "vault:t" } } });
  const on = (origin: string, name: string, input: object, more: object = {}) =>
    act(jiraConnector, { ...config(origin), ...more }, name, input, { t: "tok" });

  it("gets issues whose project, type and summary the caller's own fields cannot change", async () => {
    await using remote = await site(() => ({ status: 201, body: { id: "1", key: "OPS-1", self: "x" } }));
    const input = {
      project: "OPS",
      summary: "late",
      description: "d",
      fields: { project: { key: "HR" }, labels: ["a"] },
    };
    expect(await on(remote.origin, "jira.create_issue", input)).toMatchObject({ output: { key: "OPS-1" } });
    expect(remote.asked[0]).toMatchObject({ method: "POST", url: "/rest/api/2/issue" });
    expect(remote.asked[0]?.body).toEqual({
      fields: {
        labels: ["a"],
        project: { key: "OPS" },
        issuetype: { name: "Task" },
        summary: "late",
        description: "d",
      },
    });
  });

  it.each([
    ["jira.get_issue", { key: "OPS-7" }, "GET", "/rest/api/2/issue/OPS-7"],
    ["jira.add_comment", { key: "OPS-7", body: "b" }, "POST", "/rest/api/2/issue/OPS-7/comment"],
    [
      "jira.transition_issue",
      { key: "OPS-7", transition: "31" },
      "POST",
      "/rest/api/2/issue/OPS-7/transitions",
    ],
  ])("is asked for %s at its path", async (name, input, method, url) => {
    await using remote = await site(() => ({ body: { key: "OPS-7", id: "9" } }));
    expect(await on(remote.origin, name, input)).toMatchObject({ status: "completed" });
    expect(remote.asked[0]).toMatchObject({ method, url });
  });

  it("is searched page by page on cloud and on a server", async () => {
    await using remote = await site((asked) =>
      asked.url.endsWith("/jql")
        ? { body: { issues: [{ key: "A-1" }], nextPageToken: "t2" } }
        : { body: { issues: [{ key: "A-2" }], total: 5 } },
    );
    const input = { jql: "project = A" };
    expect(await on(remote.origin, "jira.search", input)).toMatchObject({ output: { nextPageToken: "t2" } });
    const server = { deployment: "server" };
    expect(await on(remote.origin, "jira.search", { ...input, nextPageToken: "3" }, server)).toMatchObject({
      output: { issues: [{ key: "A-2" }], nextPageToken: "4" },
    });
    expect(remote.asked[1]?.body).toMatchObject({ startAt: 3 });
  });

  it("refuses keys that would name another path", () => {
    const input = jiraConnector.operations["jira.get_issue"]?.input;
    for (const key of ["../myself", "OPS-7/comment", "OPS-7?x=1", "ops"])
      expect(input?.safeParse({ connection: "c", key }).success).toBe(false);
  });
});

describe("Confluence", () => {
  const config = (url: string) => ({ url: `${url}/wiki`, auth: { bearer: "vault:t" } });
  const page = { id: "7", title: "T", version: { number: 2 }, body: { storage: { value: "<p/>" } } };

  it("gets pages, and a second send of the same version changes nothing", async () => {
    await using remote = await site((asked) => ({ status: asked.method === "PUT" ? 409 : 200, body: page }));
    const made = { space: "OPS", title: "T", body: "<p/>", parent: "3" };
    expect(
      await act(confluenceConnector, config(remote.origin), "confluence.create_page", made),
    ).toMatchObject({
      output: { id: "7", title: "T", version: 2, body: "<p/>" },
    });
    expect(remote.asked[0]).toMatchObject({
      method: "POST",
      url: "/wiki/rest/api/content",
      body: { space: { key: "OPS" }, ancestors: [{ id: "3" }] },
    });
    const change = { id: "7", title: "T", body: "<p/>", version: 2 };
    expect(
      await act(confluenceConnector, config(remote.origin), "confluence.update_page", change),
    ).toMatchObject({
      status: "failed",
      error: { code: "HTTP_409" },
      retryable: false,
    });
    expect(remote.asked[1]).toMatchObject({
      url: "/wiki/rest/api/content/7",
      body: { version: { number: 2 } },
    });
  });

  it("is read and searched", async () => {
    await using remote = await site((asked) => ({
      body: asked.url.includes("search") ? { results: [page] } : page,
    }));
    expect(
      await act(confluenceConnector, config(remote.origin), "confluence.get_page", { id: "7" }),
    ).toMatchObject({
      output: { id: "7", body: "<p/>" },
    });
    const found = await act(confluenceConnector, config(remote.origin), "confluence.search", {
      cql: "title ~ 'a&b'",
    });
    expect(found).toMatchObject({ output: { results: [{ id: "7" }] } });
    expect(remote.asked[1]?.url).toBe("/wiki/rest/api/content/search?cql=title+%7E+%27a%26b%27&limit=25");
  });

  it("is tested by asking who the credentials are", async () => {
    await using remote = await site(() => ({ status: 403 }));
    expect(await testOf(confluenceConnector, config(remote.origin))).toMatchObject({
      ok: false,
      code: "HTTP_403",
    });
    expect(remote.asked[0]?.url).toBe("/wiki/rest/api/user/current");
  });
});
