/** A path with its values encoded. Throws TypeError for a value that would name another resource. */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((built, part, i) => `${built}${segment(values[i - 1])}${part}`);
}

function segment(value: string | undefined): string {
  if (typeof value !== "string" || value === "" || value === "." || value === "..") {
    throw new TypeError(`${JSON.stringify(value)} cannot be an id or a name`);
  }
  return encodeURIComponent(value);
}

/** Query fields as the API takes them; undefined ones are left out. */
export function withQuery(
  target: string,
  query: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of typeof value === "object" ? value : [value]) given.append(name, String(one));
  }
  return given.size === 0 ? target : `${target}?${given}`;
}
