/** What a person sees at the start: where it runs, the key, what to try next. Plain text, no colours in pipes. */
export interface Banner {
  readonly url: string;
  /** Host and port, where the URL does not show them. */
  readonly address: string | undefined;
  readonly store: string;
  readonly tenant: string;
  /** Shown once: the key of the first administrator. */
  readonly adminKey: string | undefined;
  readonly ms: number;
}

export function renderBanner(b: Banner): string {
  const lines = [
    "",
    `  OARS is ready at ${b.url} (${b.ms} ms)`,
    ...(b.address ? [`  listens on ${b.address}`] : []),
    `  database  ${b.store}`,
    `  tenant    ${b.tenant}`,
    `  API       ${b.url}/swagger-ui`,
  ];
  if (b.adminKey) {
    lines.push(
      "",
      "  First start: this is the administrator's key. It is shown this once; keep it.",
      "",
      `    ${b.adminKey}`,
      "",
      "  Try next, in another terminal:",
      "",
      `    npm run oars -- login --url ${b.url} --key ${b.adminKey}`,
      "    npm run oars -- whoami",
    );
  } else lines.push("", "  Try next: npm run oars -- run list");
  lines.push("", "  Ctrl-C stops it.", "");
  return lines.join("\n");
}
