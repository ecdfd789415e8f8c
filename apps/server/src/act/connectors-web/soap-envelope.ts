/** SOAP messages: the envelope that is sent, and what an answer says. Answers are hostile input. */
import { XMLBuilder, XMLParser, XMLValidator } from "fast-xml-parser";
import { failed, type OperationOutcome, storableJson } from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { completed, fieldAt, textAt, type WebAnswer } from "./web-call.ts";

const namespaces = {
  "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
  "1.2": "http://www.w3.org/2003/05/soap-envelope",
} as const;

const attributes = { ignoreAttributes: false, attributeNamePrefix: "@_" } as const;

/** What is wrong with the text as the content of an element, or undefined. */
export function problemOfXml(text: string): string | undefined {
  if (/<!|<\?/.test(text)) return "must not hold declarations, comments, CDATA or processing instructions";
  const checked = XMLValidator.validate(`<x>${text}</x>`);
  return checked === true ? undefined : `is not well-formed XML: ${checked.err.msg}`;
}

const escaped = (text: string): string => text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);

export function envelopeOf(
  version: "1.1" | "1.2",
  from: {
    readonly element: string;
    readonly namespace?: string | undefined;
    readonly body: string | Readonly<Record<string, Json>>;
  },
): string {
  const inner =
    typeof from.body === "string" ? from.body : new XMLBuilder({ ...attributes }).build(from.body).trim();
  const namespace = from.namespace === undefined ? "" : ` xmlns="${escaped(from.namespace)}"`;
  const element = `<${from.element}${namespace}>${inner}</${from.element}>`;
  return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="${namespaces[version]}"><s:Body>${element}</s:Body></s:Envelope>`;
}

const parser = new XMLParser({
  ...attributes,
  removeNSPrefix: true,
  parseTagValue: false,
  processEntities: true,
});

/** The body of an answer. A fault is an answer: the action failed, and only a read may be repeated. */
export function readEnvelope(answer: WebAnswer, connection: string, read: boolean): OperationOutcome {
  const { body: text, status } = answer;
  if (status === 202 && (text === null || text === "")) return completed(answer, { body: null });
  const invalid = (why: string): OperationOutcome => {
    const message = `${connection} answered ${status} with ${why}.`;
    const error = { code: "SOAP_ANSWER_INVALID", message, retry: "terminal" as const };
    return read || status >= 400
      ? { status: "failed", error, http: status, retryable: false }
      : { status: "unknown", error };
  };
  if (typeof text !== "string" || /<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true)
    return invalid("something else than a SOAP message");
  const body = fieldAt(parser.parse(text), "Envelope.Body");
  if (body === undefined) return invalid("XML that has no SOAP body");
  const fault = fieldAt(body, "Fault");
  if (fault !== undefined) return faultOf(fault, connection, read);
  if (status >= 400) return invalid("an error and no fault");
  const value = storableJson(body, (part) => part);
  return value === undefined
    ? invalid("a body that is nested too deeply")
    : completed(answer, { body: value });
}

function faultOf(fault: unknown, connection: string, read: boolean): OperationOutcome {
  const code = textAt(fault, "faultcode") || textAt(fault, "Code.Value");
  const reason =
    textAt(fault, "faultstring") || textAt(fault, "Reason.Text") || textAt(fault, "Reason.Text.#text");
  const theirs = /(?:^|:)(?:Server|Receiver)\b/.test(code);
  return failed("SOAP_FAULT", `${connection} answered with a fault: ${reason.slice(0, 500) || code}.`, {
    retryable: read && theirs,
    details: storableJson(fault, (part) => part.slice(0, 2_000)) ?? null,
  });
}
