import { storableJson, storableText } from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import type { DialAnswer } from "#platform/net";

/** Headers that tell a flow something and carry no session. */
const told = [
  "content-type",
  "content-language",
  "date",
  "etag",
  "last-modified",
  "link",
  "location",
  "request-id",
  "retry-after",
  "x-request-id",
];

/** The answer as the output of a step. `clean` removes secrets. `base64` marks a body that is no text. */
export function outputOf(answer: DialAnswer, clean: (text: string) => string): { [key: string]: Json } {
  const headers = Object.fromEntries(
    told.flatMap((name) => {
      const value = answer.headers[name];
      return value === undefined ? [] : [[name, clean(storableText(value))]];
    }),
  );
  return {
    status: answer.status,
    headers,
    ...bodyOf(answer, clean),
    ms: Math.round(answer.ms * 1_000) / 1_000,
  };
}

function bodyOf(answer: DialAnswer, clean: (text: string) => string): { [key: string]: Json } {
  if (answer.body.length === 0) return { body: null };
  const type = answer.headers["content-type"] ?? "";
  const text = decoded(answer.body, /charset="?([^\s;"]+)/i.exec(type)?.[1] ?? "utf-8");
  if (text === undefined) return { body: Buffer.from(answer.body).toString("base64"), base64: true };
  if (/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) {
    try {
      const body = storableJson(JSON.parse(text), clean);
      if (body !== undefined) return { body };
    } catch {
      // Said to be JSON and is not: the text itself tells more than an error would.
    }
  }
  return { body: clean(storableText(text)) };
}

function decoded(body: Uint8Array, charset: string): string | undefined {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}
