/** The coverage of a pack as OSCAL assessment results, version 1.1.2 (NIST), in JSON. */
import { createHash } from "node:crypto";
import type { PackManifest } from "@oars/receipts";

/** A name-based UUID (RFC 9562 §5.8), so that the same pack gives the same document. */
function uuidOf(name: string): string {
  const bytes = createHash("sha256").update(name).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

type Told = Omit<PackManifest, "files">;
type Coverage = Told["coverage"][number];

const idOf = (m: Told, ...names: readonly string[]): string => uuidOf([m.packId, ...names].join("\n"));
const nameOf = (c: { framework: string; controlId: string }): string => `${c.framework}/${c.controlId}`;

export function oscalOf(m: Told): object {
  return {
    "assessment-results": {
      uuid: idOf(m, "assessment-results"),
      metadata: {
        title: `Evidence of ${m.tenantId}, ${m.window.from} to ${m.window.to}`,
        "last-modified": m.generatedAt,
        version: m.packId,
        "oscal-version": "1.1.2",
      },
      "import-ap": { href: "README.txt" },
      results: m.frameworks.map((framework) => resultOf(m, framework)),
    },
  };
}

function resultOf(m: Told, framework: string): object {
  const coverage = m.coverage.filter((c) => c.framework === framework);
  return {
    uuid: idOf(m, "result", framework),
    title: `Receipts against ${framework}`,
    description: `Receipts of the window, compared with the mappings of ${framework} that were in force. The manifest of the pack holds the mappings.`,
    start: m.window.from,
    end: m.window.to,
    "reviewed-controls": {
      "control-selections": [
        coverage.length > 0
          ? { "include-controls": coverage.map((c) => ({ "control-id": c.controlId })) }
          : { description: "No control of the framework is mapped." },
      ],
    },
    ...(coverage.length === 0
      ? {}
      : {
          observations: coverage.map((c) => observationOf(m, c)),
          findings: coverage.map((c) => findingOf(m, c)),
        }),
  };
}

function observationOf(m: Told, c: Coverage): object {
  const evidence = c.samples.map((rid) => ({
    href: `samples/${rid}.tlog-proof`,
    description: "A receipt that was drawn, with its proof of inclusion in the log.",
  }));
  return {
    uuid: idOf(m, "observation", nameOf(c)),
    description: `${c.receipts} receipts are evidence for ${c.controlId}${c.newestAt ? `; the newest is of ${c.newestAt}` : ""}.`,
    methods: ["EXAMINE"],
    collected: m.generatedAt,
    ...(evidence.length > 0 ? { "relevant-evidence": evidence } : {}),
  };
}

function findingOf(m: Told, c: Coverage): object {
  const control = m.controls.find((known) => nameOf(known) === nameOf(c));
  const gaps = m.gaps.filter((g) => nameOf(g) === nameOf(c)).map((g) => g.detail);
  return {
    uuid: idOf(m, "finding", nameOf(c)),
    title: control?.title ?? c.controlId,
    description: gaps.length > 0 ? `Not covered: ${gaps.join("; ")}.` : "Covered by receipts of the window.",
    target: {
      type: "objective-id",
      "target-id": c.controlId,
      status: { state: c.covered ? "satisfied" : "not-satisfied" },
    },
    "related-observations": [{ "observation-uuid": idOf(m, "observation", nameOf(c)) }],
  };
}
