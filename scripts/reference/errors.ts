import { type ErrorSpec, errorCatalogue } from "../../apps/server/src/platform/kernel/index.ts";
import { code, generatedNotice, table } from "./markdown.ts";

const retryWords: Readonly<Record<ErrorSpec["retry"], string>> = {
  never: "no",
  safe: "at once",
  after: "after `Retry-After`",
};

/** docs/reference/errors.md */
export function renderErrors(catalogue: Readonly<Record<string, ErrorSpec>> = errorCatalogue): string {
  const entries = Object.entries(catalogue);
  const groups = [...new Set(entries.map(([name]) => groupOf(name)))];
  const sections = groups.map((group) => {
    const members = entries.filter(([name]) => groupOf(name) === group);
    const cells = members.map(([name, e]) => [code(name), `${e.status}`, retryWords[e.retry], e.message]);
    return `## ${group}\n\n${table(["Code", "Status", "Repeat unchanged", "Message"], cells)}`;
  });
  return `${[
    "# Errors",
    generatedNotice,
    "Every error is an RFC 9457 problem document (`application/problem+json`) with a stable `code`, the `requestId`, and, where fields are wrong, all of them in `errors`. Words in braces are filled in. An id of another tenant answers like one that does not exist.",
    ...sections,
  ].join("\n\n")}\n`;
}

const groupOf = (name: string): string => name.slice(0, name.indexOf("_")).toLowerCase();
