/**
 * The prefixes under which the API is known besides `/v1`, as one rule on the raw path, applied once:
 *   /api/v1/x and /api/x         -> /v1/x
 *   /v1/orchestrations[/x]       -> /v1/runs[/x]   (also under /api)
 *   /v1/orchestrations/approvals -> /v1/gates, and …/approvals/ID/decision -> /v1/gates/ID/answer
 *   /v1/runs/ID/actions/COMMAND  -> /v1/runs/ID/COMMAND, for retry, skip and abort
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

function seedNoun(path: string): string {
  if (path !== seed && !path.startsWith(`${seed}/`)) return seedCommand(path);
  const rest = path.slice(seed.length);
  if (rest !== approvals && !rest.startsWith(`${approvals}/`)) return seedCommand(`/v1/runs${rest}`);
  return `/v1/gates${rest.slice(approvals.length).replace(/^(\/[^/]+)\/decision$/, "$1/answer")}`;
}

const seed = "/v1/orchestrations";
const approvals = "/approvals";

const seedCommand = (path: string): string =>
  path.replace(/^(\/v1\/runs\/[^/]+)\/actions\/(retry|skip|abort)$/, "$1/$2");
