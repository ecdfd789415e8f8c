import { z } from "zod";
import { authSecrets } from "#act/connector-auth";
import {
  type Connector,
  connectionField,
  defineOperation,
  isJson,
  lineField,
  type OperationOutcome,
} from "#act/connector-kit";
import { completed, fieldAt, onAnswer, reportOf, textAt, type WebAnswer } from "./web-call.ts";
import { callJson, segment } from "./web-json.ts";
import { siteFields, siteOf, trimmed } from "./web-site.ts";

const config = z.strictObject(siteFields);
type Settings = z.output<typeof config>;

const connection = connectionField;
const id = z.string().regex(/^\d{1,19}$/, { error: "must be the number of a page" });
const title = lineField(255);
/** Confluence's storage format. */
const body = z.string().max(1_000_000);
const space = z.string().regex(/^~?[A-Za-z0-9._-]{1,255}$/, { error: "must be the key of a space" });

const createInput = z.strictObject({ connection, space, title, body, parent: id.optional() });
const updateInput = z.strictObject({
  connection,
  id,
  title,
  body,
  /** The version that this makes: one more than the page has now, so that nobody's change is lost. */
  version: z.int().min(2),
});
const getInput = z.strictObject({ connection, id });
const searchInput = z.strictObject({
  connection,
  cql: z.string().min(1).max(10_000),
  limit: z.int().min(1).max(100).default(25),
});

const page = z.looseObject({ id: z.string(), title: z.string(), version: z.int() });

const api = (settings: Settings, rest: string): string => `${trimmed(settings.url)}/rest/api/${rest}`;
const targetOf = (settings: Settings, of: string): string => `${siteOf(settings.url)}/${of}`;

const pageOf = (outcome: OperationOutcome): OperationOutcome =>
  onAnswer(outcome, (answer: WebAnswer) =>
    completed(answer, {
      id: textAt(answer.body, "id"),
      title: textAt(answer.body, "title"),
      version: Number(textAt(answer.body, "version.number")) || 0,
      body: textAt(answer.body, "body.storage.value"),
    }),
  );

const storage = (value: string) => ({ storage: { value, representation: "storage" } });

const create = defineOperation<Settings, z.output<typeof createInput>>({
  name: "confluence.create_page",
  title: "Create a page",
  description: "Creates a page in a space; a page of that title must not exist there.",
  verbs: ["write"],
  input: createInput,
  output: page,
  meaning: (settings, input) => ({
    verb: "write",
    target: targetOf(settings, input.space),
    idempotent: false,
  }),
  async execute(context, input) {
    const { settings } = context.connection;
    const made = {
      type: "page",
      title: input.title,
      space: { key: input.space },
      ancestors: input.parent === undefined ? undefined : [{ id: input.parent }],
      body: storage(input.body),
    };
    return pageOf(
      await callJson(context, settings, { method: "POST", url: api(settings, "content"), body: made }),
    );
  },
  emulate: (_connection, input) => ({ id: "1", title: input.title, version: 1, body: input.body }),
});

const update = defineOperation<Settings, z.output<typeof updateInput>>({
  name: "confluence.update_page",
  title: "Replace a page",
  description: "Replaces title and body of a page that has the version before the one that is given.",
  verbs: ["write"],
  input: updateInput,
  output: page,
  meaning: (settings, input) => ({
    verb: "write",
    target: targetOf(settings, `pages/${input.id}`),
    idempotent: true, // the same version a second time is refused with 409
  }),
  async execute(context, input) {
    const { settings } = context.connection;
    const made = {
      type: "page",
      title: input.title,
      version: { number: input.version },
      body: storage(input.body),
    };
    const url = api(settings, `content/${segment(input.id)}`);
    return pageOf(await callJson(context, settings, { method: "PUT", url, body: made, idempotent: true }));
  },
  emulate: (_connection, { id: of, title: named, version, body: text }) => ({
    id: of,
    title: named,
    version,
    body: text,
  }),
});

const get = defineOperation<Settings, z.output<typeof getInput>>({
  name: "confluence.get_page",
  title: "Read a page",
  description: "Reads title, version and body of a page.",
  verbs: ["read"],
  input: getInput,
  output: page,
  meaning: (settings, input) => ({
    verb: "read",
    target: targetOf(settings, `pages/${input.id}`),
    idempotent: true,
  }),
  async execute(context, input) {
    const { settings } = context.connection;
    const url = api(settings, `content/${segment(input.id)}?expand=body.storage,version`);
    return pageOf(await callJson(context, settings, { method: "GET", url }));
  },
  emulate: (_connection, input) => ({ id: input.id, title: "", version: 1, body: "" }),
});

const search = defineOperation<Settings, z.output<typeof searchInput>>({
  name: "confluence.search",
  title: "Search pages",
  description: "Finds pages with CQL.",
  verbs: ["read"],
  input: searchInput,
  output: z.looseObject({ results: z.array(z.json()) }),
  meaning: (settings) => ({ verb: "read", target: targetOf(settings, "search"), idempotent: true }),
  async execute(context, input) {
    const { settings } = context.connection;
    const query = new URLSearchParams({ cql: input.cql, limit: String(input.limit) });
    const url = `${api(settings, "content/search")}?${query}`;
    return onAnswer(await callJson(context, settings, { method: "GET", url }), (answer) => {
      const found = fieldAt(answer.body, "results");
      return completed(answer, { results: Array.isArray(found) && isJson(found) ? found : [] });
    });
  },
  emulate: () => ({ results: [] }),
});

/** Reads and changes pages of one Confluence site. */
export const confluenceConnector: Connector<Settings> = {
  name: "confluence",
  title: "Confluence",
  description: "Reads, creates and replaces pages of one Confluence site.",
  docs: "https://developer.atlassian.com/cloud/confluence/rest/v1/",
  auth: ["basic", "bearer"],
  configSchema: config,
  operations: {
    "confluence.create_page": create,
    "confluence.update_page": update,
    "confluence.get_page": get,
    "confluence.search": search,
  },
  factSpecs: () => [],
  secretNames: (settings) => authSecrets(settings.auth),
  async test(context) {
    const { settings } = context.connection;
    const outcome = await callJson(context, settings, { method: "GET", url: api(settings, "user/current") });
    return reportOf(outcome, siteOf(settings.url));
  },
  fixtures: {
    config: {
      url: "https://example.atlassian.net/wiki",
      auth: { basic: { username: "oars@example.com", password: "vault:confluence-token" } },
    },
    inputs: {
      "confluence.create_page": [
        {
          input: { space: "OPS", title: "Order 7", body: "<p>late</p>" },
          shape: { verb: "write", target: "example.atlassian.net/wiki/OPS", idempotent: false },
        },
      ],
      "confluence.update_page": [
        {
          input: { id: "7", title: "Order 7", body: "<p>sent</p>", version: 2 },
          shape: { target: "example.atlassian.net/wiki/pages/7", idempotent: true },
        },
      ],
      "confluence.get_page": [{ input: { id: "7" }, shape: { verb: "read" } }],
      "confluence.search": [{ input: { cql: "space = OPS" }, shape: { verb: "read" } }],
    },
  },
};
