/**
 * Paths below a base URL. Hostile input enters here: the path that policy sees must be the path that every
 * server behind proxies understands, so whatever two programs could read differently is refused.
 */

/** What is wrong with a path, or undefined. `path` is everything after the base URL, without a query. */
export function pathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return 'must start with "/"';
  if (path.length > 2_000) return "must be at most 2,000 characters";
  if (/[?#]/.test(path)) return 'must not hold "?" or "#"; put parameters into `query`';
  for (let text = path, round = 0; round < 4; round++) {
    const fault = faultIn(text, round > 0);
    if (fault !== undefined) return fault;
    if (!text.includes("%")) return undefined;
    try {
      const next = decodeURIComponent(text);
      if (next === text) return undefined;
      text = next;
    } catch {
      return round === 0 ? "holds a percent sign that does not begin UTF-8 text" : undefined;
    }
  }
  return "is encoded more than three times";
}

function faultIn(text: string, decoded: boolean): string | undefined {
  if (/\p{Cc}/u.test(text)) return "must not hold control characters";
  if (!decoded && /\s/u.test(text)) return "must not hold spaces; write %20";
  if (text.includes("\\") || /%5c/i.test(text)) return "must not hold a backslash";
  if (/%2f/i.test(text)) return "must not hold an encoded slash";
  if (text.includes("//")) return 'must not hold "//"';
  // A server may cut path parameters first: `/..;a/` is `/../` to it.
  const segments = text.replace(/%2e/gi, ".").split("/");
  const dots = segments.some((segment) => /^\.{1,2}$/.test(segment.split(";", 1)[0] ?? ""));
  return dots ? 'must not hold "." or ".." segments' : undefined;
}

/** RFC 3986 §6.2.2: escapes of unreserved characters are undone, the others are upper case. */
export const normalPath = (path: string): string =>
  path.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase();
  });
