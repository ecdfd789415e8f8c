const nameShape = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const valueShape = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers that frame or route a message, or that let one method or path pose as another one. */
export const reservedHeaders: ReadonlySet<string> = new Set([
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

export const isHeaderToken = (name: string): boolean => nameShape.test(name);

export const isHeaderValue = (value: string): boolean => valueShape.test(value);

/** The name of a header that a client may set. */
export const isHeaderName = (name: string): boolean =>
  isHeaderToken(name) && !reservedHeaders.has(name.toLowerCase());
