const nameShape = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const valueShape = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers that frame or route a message, or that let one method or path pose as another one. */
const reserved = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "forwarded",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
]);

const credentials = new Set(["authorization", "proxy-authorization", "cookie", "x-api-key"]);
const credentialName = /token|secret|passw|api[-_]?key|signature/;

/** What is wrong with a header that a caller sends, or undefined. The message never repeats the value. */
export function headerProblem(name: string, value: string): string | undefined {
  const lower = name.toLowerCase();
  if (!nameShape.test(name)) return "is not a header name";
  if (!isHeaderValue(value)) return "holds a line break or another character that a header cannot carry";
  if (reserved.has(lower) || lower.startsWith("x-forwarded-"))
    return "cannot be set here: it frames or routes the message";
  return credentials.has(lower) || /^\s*(?:bearer|basic)\s/i.test(value) ? credentialAdvice : undefined;
}

/** The same for a header that stands in a connection's config, where everyone who may read connections sees it. */
export const fixedHeaderProblem = (name: string, value: string): string | undefined =>
  headerProblem(name, value) ?? (credentialName.test(name.toLowerCase()) ? credentialAdvice : undefined);

const credentialAdvice =
  'is a credential: store it as a secret and name it in the connection\'s auth, like {"bearer": "vault:wms-token"}';

export const isHeaderValue = (value: string): boolean => valueShape.test(value);

export const isHeaderName = (name: string): boolean =>
  nameShape.test(name) && !reserved.has(name.toLowerCase());

/** The same headers under lower-case names. */
export const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
