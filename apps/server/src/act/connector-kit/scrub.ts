/** Shorter values occur in ordinary text; replacing them would destroy answers and protect nothing. */
const shortest = 4;

/**
 * Replaces secrets wherever they come back: an echo service, or an error page that shows the request. Also
 * finds a secret's base64, percent-encoded and JSON-escaped forms.
 */
export function scrubber(secrets: readonly string[]): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    for (const form of [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString("base64").replace(/=+$/, ""),
      Buffer.from(secret).toString("base64url"),
    ]) {
      if (form.length >= shortest) forms.add(form);
    }
  }
  if (forms.size === 0) return (text) => text;
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return (text) =>
    longestFirst.reduce(
      (rest, form) => (rest.includes(form) ? rest.replaceAll(form, "[secret]") : rest),
      text,
    );
}
