/** Evidence packs on the command line. */
import { reasonOf } from "./cli-files.ts";
import { openZipFile } from "./cli-zip.ts";
import type { VerifyCrypto } from "./crypto.ts";
import { FormatError } from "./format-error.ts";
import { type PackReport, packCheckNames, verifyPack } from "./pack-verify.ts";
import { undecidable } from "./report.ts";
import type { TrustDocument } from "./trust.ts";

export interface VerifiedPack {
  readonly place: string;
  readonly report: PackReport;
}

export const isPackName = (path: string): boolean => path.endsWith(".zip");

/** Never rejects for what is in the file; one that is no archive, or is not there, cannot be decided. */
export async function verifyPackFile(
  path: string,
  trust: readonly TrustDocument[],
  crypto: VerifyCrypto,
): Promise<PackReport> {
  try {
    const zip = await openZipFile(path);
    try {
      return await verifyPack(zip, trust, crypto);
    } finally {
      await zip.close();
    }
  } catch (error) {
    const isOfSystem = typeof (error as { code?: unknown }).code === "string"; // such as ENOENT
    if (!(error instanceof FormatError) && !isOfSystem) throw error;
    const check = undecidable(reasonOf(error));
    const checks = Object.fromEntries(packCheckNames.map((name) => [name, check])) as PackReport["checks"]; // every name is set
    return { verdict: "undecidable", exitCode: 2, checks, manifest: undefined };
  }
}

export async function verifyPackFiles(
  paths: readonly string[],
  trust: readonly TrustDocument[],
  crypto: VerifyCrypto,
): Promise<VerifiedPack[]> {
  const packs: VerifiedPack[] = [];
  for (const path of paths) packs.push({ place: path, report: await verifyPackFile(path, trust, crypto) });
  return packs;
}

const words = { ok: "ok", failed: "FAILED", absent: "-", undecidable: "?" } as const;
const printable = (text: string): string =>
  text.replaceAll(/[^\x20-\x7e\u00a0-\ud7ff\ue000-\uffff]/g, "\ufffd");

/** One line for each check, and what the pack claims to be. */
export function packText({ place, report }: VerifiedPack): string {
  const { manifest } = report;
  const about = manifest
    ? [
        `  pack        ${manifest.packId}, ${manifest.kind}, of ${manifest.tenantId}`,
        `  window      ${manifest.window.from} to ${manifest.window.to}`,
        `  controls    ${manifest.coverage.filter((c) => c.covered).length} covered, ${manifest.gaps.length} gaps`,
      ]
    : [];
  const checks = packCheckNames.map((name) => {
    const { status, detail } = report.checks[name];
    return `  ${name.padEnd(11)} ${words[status].padEnd(6)} ${detail}`;
  });
  return `${[`${place}: ${report.verdict}`, ...about, ...checks].map(printable).join("\n")}\n`;
}
