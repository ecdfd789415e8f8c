/**
 * The prefixes under which the API is known besides `/v1`, as one rule on the raw path, applied once:
 *   /api/v1/x and /api/x         -> /v1/x
 *   /v1/orchestrations[/x]       -> /v1/runs[/x]   (also under /api)
 * `/api/webhook/…` and `/api/health` are routes of their own and stay.
 * The text is compared as it came: percent-encoded spellings of a prefix are not aliases, and the result
 * is never rewritten again, so no path can be unwrapped twice. The query string is kept byte for byte.
 */
export function canonicalUrl(url: string): string {
  const end = url.search(/[?#]/);
  const path = end === -1 ? url : url.slice(0, end);
  const canonical = canonicalPath(path);
  return canonical === path ? url : canonical + (end === -1 ? "" : url.slice(end));
}

function canonicalPath(path: string): string {
  if (path.startsWith("/v1/")) return seedNoun(path);
  if (!path.startsWith("/api/") || isLiteral(path)) return path;
  return seedNoun(path.startsWith("/api/v1/") ? path.slice(4) : `/v1${path.slice(4)}`);
}

const isLiteral = (path: string): boolean => path === "/api/health" || path.startsWith("/api/webhook/");

const seedNoun = (path: string): string =>
  path === "/v1/orchestrations" || path.startsWith("/v1/orchestrations/")
    ? `/v1/runs${path.slice("/v1/orchestrations".length)}`
    : path;
