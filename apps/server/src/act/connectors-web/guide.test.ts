/** The connector of docs/guides/write-a-connector.md, which shows this file from its first marker to its second. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
// guide: begin
import { z } from "zod";
import { authSecrets } from "#act/connector-auth";
import { type Connector, checkConnector, connectionField, defineOperation } from "#act/connector-kit";
import { completed, onAnswer, reportOf, textAt } from "./web-call.ts";
import { callJson, segment } from "./web-json.ts";
import { siteFields, siteOf, trimmed } from "./web-site.ts";

const config = z.strictObject(siteFields); // url, auth, timeout
type Settings = z.output<typeof config>;

const input = z.strictObject({ connection: connectionField, city: z.string().min(1).max(100) });

const forecast = defineOperation<Settings, z.output<typeof input>>({
  name: "weather.forecast",
  title: "Read a forecast",
  description: "Reads the forecast for a city.",
  verbs: ["read"],
  input,
  output: z.looseObject({ summary: z.string() }),
  meaning: (settings, { city }) => ({
    verb: "read",
    target: `${siteOf(settings.url)}/forecast/${segment(city)}`,
    idempotent: true,
  }),
  async execute(context, { city }) {
    const { settings } = context.connection;
    const url = `${trimmed(settings.url)}/forecast/${segment(city)}`;
    const outcome = await callJson(context, settings, { method: "GET", url });
    return onAnswer(outcome, (answer) => completed(answer, { summary: textAt(answer.body, "summary") }));
  },
  emulate: (_connection, { city }) => ({ summary: `Sun over ${city}` }),
});

export const weatherConnector: Connector<Settings> = {
  name: "weather",
  title: "Weather",
  description: "Reads forecasts.",
  docs: "https://weather.example.com/docs",
  auth: ["bearer"],
  configSchema: config,
  operations: { "weather.forecast": forecast },
  factSpecs: () => [],
  secretNames: (settings) => authSecrets(settings.auth),
  async test(context) {
    const { settings } = context.connection;
    const url = `${trimmed(settings.url)}/status`;
    return reportOf(await callJson(context, settings, { method: "GET", url }), siteOf(settings.url));
  },
  fixtures: {
    config: { url: "https://weather.example.com/v1", auth: { bearer: "vault:weather-key" } },
    inputs: {
      "weather.forecast": [
        {
          input: { city: "São Paulo" },
          shape: { verb: "read", target: "weather.example.com/v1/forecast/S%C3%A3o%20Paulo" },
        },
      ],
    },
  },
};

// guide: end
import { describe, expect, it } from "vitest";
import { act, site } from "./testing-site.ts";

describe("the connector of the guide", () => {
  it("keeps the rules of the kit and works", async () => {
    expect(await checkConnector(weatherConnector)).toEqual([]);
    await using remote = await site(() => ({ body: { summary: "rain" } }));
    expect(
      await act(weatherConnector, { url: remote.origin }, "weather.forecast", { city: "Köln" }),
    ).toMatchObject({
      status: "completed",
      output: { summary: "rain" },
    });
    expect(remote.asked[0]?.url).toBe("/forecast/K%C3%B6ln");
  });

  it("stands in the guide as it is here", () => {
    const own = readFileSync(import.meta.filename, "utf8");
    const shown = own.slice(own.indexOf("begin\n") + 6, own.indexOf("// guide: end")).trimEnd();
    const guide = join(import.meta.dirname, "../../../../../docs/guides/write-a-connector.md");
    expect(readFileSync(guide, "utf8")).toContain(shown);
  });
});
