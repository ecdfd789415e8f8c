/** ArcSight Common Event Format, version 0: a header in pipes, then `key=value` pairs. */
import type { Severity, ShownEvent } from "#platform/events";

const severityOf: Readonly<Record<Severity, number>> = { info: 1, low: 3, medium: 5, high: 8, critical: 10 };

/** In the header `\` and `|` are escaped, and there are no line breaks. */
const header = (text: string): string =>
  text
    .replaceAll("\\", "\\\\")
    .replaceAll("|", "\\|")
    .replace(/[\r\n]+/g, " ");

/** In values `\` and `=` are escaped, and line breaks are written out. */
const value = (text: string): string =>
  text
    .replaceAll("\\", "\\\\")
    .replaceAll("=", "\\=")
    .replace(/\r\n|\r|\n/g, "\\n");

export function toCef(e: ShownEvent, version: string): string {
  const fields: (readonly [string, string | number | null | undefined])[] = [
    ["rt", Date.parse(e.lastAt)],
    ["start", Date.parse(e.firstAt)],
    ["end", Date.parse(e.lastAt)],
    ["cnt", e.count],
    ["externalId", e.id],
    ["outcome", e.outcome],
    ["suid", e.actor?.id],
    ["suser", e.actor?.name],
    e.source?.includes(":") ? ["c6a2", e.source] : ["src", e.source],
    e.source?.includes(":") ? ["c6a2Label", "Source IPv6 Address"] : ["c6a2Label", null],
    ["cs1Label", "tenant"],
    ["cs1", e.tenantId],
    ["cs2Label", e.requestId === null ? null : "request"],
    ["cs2", e.requestId],
    ["cs3Label", e.target === null ? null : "target"],
    ["cs3", e.target === null ? null : `${e.target.kind}:${e.target.id}`],
    ["cs4Label", "details"],
    ["cs4", JSON.stringify(e.details)],
    ["msg", e.message],
  ];
  const extension = fields
    .filter(([, given]) => given !== null && given !== undefined)
    .map(([key, given]) => `${key}=${value(String(given))}`)
    .join(" ");
  const head = ["OARS", "OARS", version, e.type, e.message, severityOf[e.severity]].map((v) =>
    header(String(v)),
  );
  return `CEF:0|${head.join("|")}|${extension}`;
}
