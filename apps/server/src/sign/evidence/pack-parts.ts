/** The files of a pack that people read: tables, a printable report, a word on how to check it all. */
import type { PackControl, PackCoverage, PackManifest, ReceiptBody } from "@oars/receipts";

/** A cell that a spreadsheet would take for a formula becomes text. */
function cell(value: unknown): string {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180. */
export const csvOf = (rows: readonly (readonly unknown[])[]): string =>
  rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");

export const receiptColumns = [
  "index",
  "receipt",
  "time",
  "type",
  "agent",
  "user",
  "tool",
  "operation",
  "target",
  "effect",
  "rules",
  "approval",
  "vote",
  "outcome",
  "run",
  "action",
  "controls",
] as const;

export const receiptRow = (index: number, b: ReceiptBody, controls: readonly string[]): unknown[] => [
  index,
  b.rid,
  b.ts,
  b.typ,
  b.principal?.agent,
  b.principal?.user,
  b.action?.tool,
  b.action?.operation ?? b.operation?.command,
  b.action?.target,
  b.decision?.effect,
  b.decision?.reasons?.join(" "),
  b.approval?.request,
  b.approval?.vote,
  b.outcome?.status,
  b.run?.id,
  b.action?.id,
  controls.join(" "),
];

export const coverageTable = (
  controls: readonly PackControl[],
  coverage: readonly PackCoverage[],
): unknown[][] => [
  ["framework", "control", "title", "covered", "receipts", "kinds", "newest", "samples"],
  ...controls.map((c, i) => {
    const found = coverage[i];
    return [
      c.framework,
      c.controlId,
      c.title,
      found?.covered ? "yes" : "no",
      found?.receipts,
      found?.kinds.join(" "),
      found?.newestAt,
      found?.samples.join(" "),
    ];
  }),
];

type Told = Omit<PackManifest, "files">;

export const gapTable = ({ gaps }: Told): unknown[][] => [
  ["framework", "control", "reason", "detail"],
  ...gaps.map((g) => [g.framework, g.controlId, g.reason, g.detail]),
];

const escaped = (value: unknown): string =>
  String(value ?? "").replaceAll(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function tableOf(rows: readonly (readonly unknown[])[]): string {
  const line = (tag: "th" | "td", row: readonly unknown[]): string =>
    `<tr>${row.map((value) => `<${tag}>${escaped(value)}</${tag}>`).join("")}</tr>`;
  const [head = [], ...body] = rows;
  return `<table><thead>${line("th", head)}</thead><tbody>${body.map((row) => line("td", row)).join("\n")}</tbody></table>`;
}

const style = `body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#111}table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{border:1px solid #bbb;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#f0f0f0}
@media print{body{margin:0;font-size:11px}thead{display:table-header-group}tr{break-inside:avoid}}`;

/** A page without scripts, pictures or links to elsewhere. */
export function reportPage(m: Told): string {
  const { population: p, figures: f } = m;
  const facts: unknown[][] = [
    ["What", "Value"],
    ["Pack", m.packId],
    ["Tenant", m.tenantId],
    ["Kind", m.kind],
    ["Frameworks", m.frameworks.join(", ")],
    ["Window", `${m.window.from} up to ${m.window.to}`],
    ["Made", `${m.generatedAt}, asked for by ${m.requestedBy}`],
    [
      "Population",
      p
        ? `leaves ${p.first} to ${p.end - 1} of ${p.treeSize}: ${p.inWindow} receipts of the window, ${p.retired} of which only the leaf is left`
        : `${m.samples.length} receipts of ${m.subject?.run ?? m.subject?.action ?? "the subject"}, each with its own proof`,
    ],
    ["Decisions", `${f.decisions}, of which ${f.allows} allowed and ${f.denials} stopped`],
    ["Votes of people", `${f.humanApprovals} approvals, ${f.humanRejections} rejections`],
    ["Outcomes", f.outcomes],
    [
      "Samples",
      `${m.sampling.perControl} of each control and ${m.sampling.overall} of all, drawn with seed ${m.sampling.seed}`,
    ],
  ];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evidence ${escaped(m.packId)}</title><style>${style}</style></head>
<body><h1>Evidence</h1>${tableOf(facts)}
<p>Titles of controls are summaries; check the clause text. Receipts show that the server stated something and did not change it since, not that the statement was right. An effect that a policy allowed by itself is a decision, never an approval.</p>
<h2>Gaps</h2>${m.gaps.length === 0 ? "<p>None.</p>" : tableOf(gapTable(m))}
<h2>Coverage</h2>${tableOf(coverageTable(m.controls, m.coverage))}
</body></html>
`;
}

export const readme = (m: Told, trustUrl: string): string => `Evidence pack ${m.packId} of ${m.tenantId}

Check it without the server that made it:

  1. Save the tenant's public keys from a place that you trust, such as
     ${trustUrl}
     keys.json in this archive is a copy for comparison; a verifier never trusts it.
  2. npx oars-verify --keys keys.json pack.zip
     Exit code 0: verified. 1: something was changed. 2: cannot be decided.

manifest.jws signs manifest.json, which names every other file by its SHA-256.
receipts/   the leaves of the log of the window, in order, none left out${m.population?.mode === "full" ? ", with the receipts" : "; the receipts themselves are in samples/"}
samples/    receipts with a proof of their own (c2sp.org/tlog-proof@v1)
report.html to read and print; coverage and gaps also as CSV and JSON
oscal-assessment-results.json for tools that read OSCAL 1.1.2
`;
