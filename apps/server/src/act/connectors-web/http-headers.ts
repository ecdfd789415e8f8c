import { isHeaderToken, isHeaderValue, reservedHeaders } from "#act/connector-kit";

const credentials = new Set(["authorization", "proxy-authorization", "cookie", "x-api-key"]);
const credentialName = /token|secret|passw|api[-_]?key|signature/;

/** What is wrong with a header that a caller sends, or undefined. The message never repeats the value. */
export function headerProblem(name: string, value: string): string | undefined {
  const lower = name.toLowerCase();
  if (!isHeaderToken(name)) return "is not a header name";
  if (!isHeaderValue(value)) return "holds a line break or another character that a header cannot carry";
  if (reservedHeaders.has(lower) || lower.startsWith("x-forwarded-"))
    return "cannot be set here: it frames or routes the message";
  return credentials.has(lower) || /^\s*(?:bearer|basic)\s/i.test(value) ? credentialAdvice : undefined;
}

/** The same for a header that stands in a connection's config, where everyone who may read connections sees it. */
export const fixedHeaderProblem = (name: string, value: string): string | undefined =>
  headerProblem(name, value) ?? (credentialName.test(name.toLowerCase()) ? credentialAdvice : undefined);

const credentialAdvice =
  'is a credential: store it as a secret and name it in the connection\'s auth, like {"bearer": "vault:wms-token"}';

/** The same headers under lower-case names. */
export const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
