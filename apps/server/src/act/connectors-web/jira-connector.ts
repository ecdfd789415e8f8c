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
import type { Json } from "#platform/kernel";
import { completed, fieldAt, onAnswer, reportOf, textAt } from "./web-call.ts";
import { callJson, segment } from "./web-json.ts";
import { siteFields, siteOf, trimmed } from "./web-site.ts";

const config = z.strictObject({
  ...siteFields,
  /** The two answer searches under different paths. */
  deployment: z.enum(["cloud", "server"]).default("cloud"),
});
type Settings = z.output<typeof config>;

const connection = connectionField;
const key = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,30}-\d{1,12}$/, { error: "must be an issue key such as OPS-7" });
const project = z.string().regex(/^[A-Z][A-Z0-9_]{0,30}$/, { error: "must be a project key such as OPS" });
const fields = z.custom<Record<string, Json>>(
  (value) => isJson(value) && typeof value === "object" && value !== null,
  { error: "must be a JSON object of Jira's fields" },
);

const createInput = z.strictObject({
  connection,
  project,
  issueType: lineField(100).default("Task"),
  summary: lineField(255),
  description: z.string().max(32_000).optional(),
  fields: fields.optional(),
});
const getInput = z.strictObject({ connection, key });
const commentInput = z.strictObject({ connection, key, body: z.string().min(1).max(32_000) });
const transitionInput = z.strictObject({ connection, key, transition: z.string().regex(/^\d{1,9}$/) });
const searchInput = z.strictObject({
  connection,
  jql: z.string().min(1).max(10_000),
  fields: z.array(lineField(100)).max(50).default(["summary", "status"]),
  maxResults: z.int().min(1).max(100).default(50),
  nextPageToken: z.string().max(2_000).optional(),
});

const api = (settings: Settings, rest: string): string => `${trimmed(settings.url)}/rest/api/2/${rest}`;
const targetOf = (settings: Settings, of: string): string => `${siteOf(settings.url)}/${of}`;
const asObject = (value: Json): { [field: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : { value };
const whole = (outcome: OperationOutcome): OperationOutcome =>
  onAnswer(outcome, (answer) => completed(answer, asObject(answer.body)));

const issue = z.looseObject({ key: z.string() });

const create = defineOperation<Settings, z.output<typeof createInput>>({
  name: "jira.create_issue",
  title: "Create an issue",
  description: "Creates an issue in a project.",
  verbs: ["write"],
  input: createInput,
  output: issue,
  meaning: (settings, input) => ({
    verb: "write",
    target: targetOf(settings, input.project),
    idempotent: false,
  }),
  async execute(context, input) {
    const { settings } = context.connection;
    const body = {
      fields: {
        ...input.fields,
        project: { key: input.project },
        issuetype: { name: input.issueType },
        summary: input.summary,
        description: input.description,
      },
    };
    const outcome = await callJson(context, settings, { method: "POST", url: api(settings, "issue"), body });
    return onAnswer(outcome, (answer) =>
      completed(answer, { key: textAt(answer.body, "key"), id: textAt(answer.body, "id") }),
    );
  },
  emulate: (_connection, input) => ({ key: `${input.project}-1`, id: "10000" }),
});

const get = defineOperation<Settings, z.output<typeof getInput>>({
  name: "jira.get_issue",
  title: "Read an issue",
  description: "Reads one issue with its fields.",
  verbs: ["read"],
  input: getInput,
  output: issue,
  meaning: (settings, input) => ({ verb: "read", target: targetOf(settings, input.key), idempotent: true }),
  execute: async (context, input) =>
    whole(
      await callJson(context, context.connection.settings, {
        method: "GET",
        url: api(context.connection.settings, `issue/${segment(input.key)}`),
      }),
    ),
  emulate: (_connection, input) => ({ key: input.key, fields: {} }),
});

const comment = defineOperation<Settings, z.output<typeof commentInput>>({
  name: "jira.add_comment",
  title: "Comment on an issue",
  description: "Adds a comment to an issue.",
  verbs: ["write"],
  input: commentInput,
  output: z.looseObject({ id: z.string() }),
  meaning: (settings, input) => ({ verb: "write", target: targetOf(settings, input.key), idempotent: false }),
  async execute(context, input) {
    const { settings } = context.connection;
    const url = api(settings, `issue/${segment(input.key)}/comment`);
    const outcome = await callJson(context, settings, { method: "POST", url, body: { body: input.body } });
    return onAnswer(outcome, (answer) => completed(answer, { id: textAt(answer.body, "id") }));
  },
  emulate: () => ({ id: "10000" }),
});

const transition = defineOperation<Settings, z.output<typeof transitionInput>>({
  name: "jira.transition_issue",
  title: "Move an issue on",
  description: "Moves an issue through one of its workflow's transitions.",
  verbs: ["write"],
  input: transitionInput,
  output: issue,
  meaning: (settings, input) => ({ verb: "write", target: targetOf(settings, input.key), idempotent: false }),
  async execute(context, input) {
    const { settings } = context.connection;
    const url = api(settings, `issue/${segment(input.key)}/transitions`);
    const body = { transition: { id: input.transition } };
    const outcome = await callJson(context, settings, { method: "POST", url, body });
    return onAnswer(outcome, (answer) => completed(answer, { key: input.key }));
  },
  emulate: (_connection, input) => ({ key: input.key }),
});

const search = defineOperation<Settings, z.output<typeof searchInput>>({
  name: "jira.search",
  title: "Search issues",
  description: "Finds issues with JQL.",
  verbs: ["read"],
  input: searchInput,
  output: z.looseObject({ issues: z.array(z.json()), nextPageToken: z.string() }),
  meaning: (settings) => ({ verb: "read", target: targetOf(settings, "search"), idempotent: true }),
  async execute(context, { jql, fields: wanted, maxResults, nextPageToken }) {
    const { settings } = context.connection;
    const cloud = settings.deployment === "cloud";
    const start = cloud ? { nextPageToken } : { startAt: Number(nextPageToken ?? 0) || 0 };
    const outcome = await callJson(context, settings, {
      method: "POST",
      url: api(settings, cloud ? "search/jql" : "search"),
      body: { jql, fields: wanted, maxResults, ...start },
      read: true,
    });
    return onAnswer(outcome, (answer) => {
      const found = fieldAt(answer.body, "issues");
      const issues = Array.isArray(found) && isJson(found) ? found : [];
      const read = (Number(nextPageToken ?? 0) || 0) + issues.length;
      const more = read < Number(textAt(answer.body, "total")) ? String(read) : "";
      return completed(answer, {
        issues,
        nextPageToken: cloud ? textAt(answer.body, "nextPageToken") : more,
      });
    });
  },
  emulate: () => ({ issues: [], nextPageToken: "" }),
});

/** Reads and changes issues of one Jira site. */
export const jiraConnector: Connector<Settings> = {
  name: "jira",
  title: "Jira",
  description: "Reads, creates and changes issues of one Jira site.",
  docs: "https://developer.atlassian.com/cloud/jira/platform/rest/v2/",
  auth: ["basic", "bearer"],
  configSchema: config,
  operations: {
    "jira.create_issue": create,
    "jira.get_issue": get,
    "jira.add_comment": comment,
    "jira.transition_issue": transition,
    "jira.search": search,
  },
  factSpecs: () => [],
  secretNames: (settings) => authSecrets(settings.auth),
  async test(context) {
    const { settings } = context.connection;
    const outcome = await callJson(context, settings, { method: "GET", url: api(settings, "myself") });
    return reportOf(outcome, siteOf(settings.url));
  },
  fixtures: {
    config: {
      url: "https://example.atlassian.net",
      auth: { basic: { username: "oars@example.com", password: "vault:jira-token" } },
    },
    inputs: {
      "jira.create_issue": [
        {
          input: { project: "OPS", summary: "Order 7 is late" },
          shape: { verb: "write", target: "example.atlassian.net/OPS", idempotent: false },
        },
      ],
      "jira.get_issue": [{ input: { key: "OPS-7" }, shape: { verb: "read", idempotent: true } }],
      "jira.add_comment": [
        { input: { key: "OPS-7", body: "done" }, shape: { target: "example.atlassian.net/OPS-7" } },
      ],
      "jira.transition_issue": [{ input: { key: "OPS-7", transition: "31" }, shape: { verb: "write" } }],
      "jira.search": [{ input: { jql: "project = OPS" }, shape: { verb: "read" } }],
    },
  },
};
