import { z } from "zod";
import { authSecrets } from "#act/connector-auth";
import {
  type Connector,
  connectionField,
  defineOperation,
  isJson,
  lineField,
  type OperationContext,
  type OperationOutcome,
} from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { envelopeOf, problemOfXml, readEnvelope } from "./soap-envelope.ts";
import { callWeb, onAnswer, plainHeaders } from "./web-call.ts";
import { siteFields, siteOf } from "./web-site.ts";

const action = lineField(500).refine((text) => !/["\s]/.test(text), {
  error: "must hold no quotes or spaces",
});

const config = z.strictObject({
  ...siteFields,
  version: z.enum(["1.1", "1.2"]).default("1.1"),
  /** Actions that change nothing: they may be repeated, and policy sees them as reads. */
  reads: z.array(action).max(200).default([]),
});
type Settings = z.output<typeof config>;

const xmlName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,199}$/, { error: "must be an XML name" });
const xmlText = z.string().superRefine((text, context) => {
  const message = problemOfXml(text);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

const input = z.strictObject({
  connection: connectionField,
  /** The SOAPAction. */
  action,
  /** The element inside the body, and its namespace. */
  element: xmlName,
  namespace: lineField(500).optional(),
  /** What the element holds: an object by element names, or XML text. */
  body: z.union([
    xmlText,
    z.custom<Record<string, Json>>((value) => isJson(value) && typeof value === "object" && value !== null, {
      error: "must be a JSON object or XML text",
    }),
  ]),
});
type Input = z.output<typeof input>;

const call = defineOperation<Settings, Input>({
  name: "soap.call",
  title: "Call an action",
  description: "Calls one action of a SOAP service.",
  verbs: ["read", "execute"],
  input,
  output: z.looseObject({ body: z.json() }),
  meaning: (settings, from) => {
    const read = settings.reads.includes(from.action);
    return {
      verb: read ? "read" : "execute",
      target: `${siteOf(settings.url)}#${from.action}`,
      idempotent: read,
    };
  },
  execute,
  emulate: (_connection, from) => ({ body: { [`${from.element}Response`]: {} } }),
});

async function execute(context: OperationContext<Settings>, from: Input): Promise<OperationOutcome> {
  const { settings } = context.connection;
  const read = settings.reads.includes(from.action);
  const soap12 = settings.version === "1.2";
  const outcome = await callWeb(context, () => {
    const type = soap12
      ? `application/soap+xml; charset=utf-8; action="${from.action}"`
      : "text/xml; charset=utf-8";
    return {
      method: "POST",
      url: settings.url,
      headers: {
        ...plainHeaders,
        accept: "text/xml, application/soap+xml",
        "content-type": type,
        ...(soap12 ? {} : { soapaction: `"${from.action}"` }),
      },
      body: envelopeOf(settings.version, from),
      read,
      idempotent: read,
      expected: [200, 202, 400, 500], // faults come with 400 and 500
      timeoutMs: settings.timeout,
      auth: settings.auth,
    };
  });
  return onAnswer(outcome, (answer) => readEnvelope(answer, context.connection.name, read));
}

/** Calls actions of one SOAP 1.1 or 1.2 service. */
export const soapConnector: Connector<Settings> = {
  name: "soap",
  title: "SOAP",
  description: "Calls actions of one SOAP 1.1 or 1.2 service.",
  docs: "https://www.w3.org/TR/soap12-part1/",
  auth: ["none", "bearer", "basic", "header"],
  configSchema: config,
  operations: { "soap.call": call },
  factSpecs: () => [],
  secretNames: (settings) => authSecrets(settings.auth),
  async test(context) {
    const { settings } = context.connection;
    const at = siteOf(settings.url);
    const outcome = await callWeb(context, () => {
      const expected = [200, 400, 404, 405, 500, 501]; // a service need not answer GET; it has to be there
      const how = { read: true, idempotent: true, expected, timeoutMs: settings.timeout };
      const url = `${settings.url}?wsdl`;
      return { method: "GET", url, headers: plainHeaders, auth: settings.auth, ...how };
    });
    if (outcome.status !== "completed")
      return { ok: false, code: outcome.error.code, message: outcome.error.message };
    return { ok: true, message: `${at} answered ${outcome.http ?? 0} to a request for its WSDL.` };
  },
  fixtures: {
    config: {
      url: "https://erp.example.com/services/orders",
      auth: { basic: { username: "oars", password: "vault:erp-password" } },
      reads: ["urn:orders:Get"],
    },
    inputs: {
      "soap.call": [
        {
          input: { action: "urn:orders:Create", element: "Create", namespace: "urn:orders", body: { id: 7 } },
          shape: { verb: "execute", target: "erp.example.com/services/orders#urn:orders:Create" },
        },
        {
          input: { action: "urn:orders:Get", element: "Get", body: "<id>7</id>" },
          shape: { verb: "read", idempotent: true },
        },
      ],
    },
  },
};
