/** What a window's receipts come to: figures, coverage and gaps. Server and verifier count with the same code. */
import type { ReceiptBody } from "./body.ts";
import {
  type EvidenceKind,
  evidenceKinds,
  isHumanApproval,
  kindsOf,
  matchesFilter,
} from "./control-filter.ts";
import type { PackControl, PackCoverage, PackGap, PackManifest } from "./pack.ts";

export interface ControlTally {
  readonly receipts: number;
  readonly kinds: readonly EvidenceKind[];
  readonly newestAt: string | null;
}

type Judged = Pick<
  PackControl,
  "framework" | "controlId" | "requiredNodeTypes" | "freshnessDays" | "threshold"
>;

const dayMs = 86_400_000;

/** What a control lacks at the end of a window (RFC 3339); empty: it is covered. */
export function gapsOf(control: Judged, tally: ControlTally, windowEnd: string): PackGap[] {
  const { framework, controlId, requiredNodeTypes, freshnessDays, threshold } = control;
  const gaps: PackGap[] = [];
  const say = (reason: PackGap["reason"], detail: string): void => {
    gaps.push({ framework, controlId, reason, detail });
  };
  for (const kind of requiredNodeTypes)
    if (!tally.kinds.includes(kind)) say("missing_kind", `no evidence of kind ${kind}`);
  if (tally.receipts < threshold)
    say("below_threshold", `${tally.receipts} of at least ${threshold} receipts`);
  const age = tally.newestAt === null ? null : Date.parse(windowEnd) - Date.parse(tally.newestAt);
  if (freshnessDays !== null && age !== null && age > freshnessDays * dayMs)
    say("stale", `the newest receipt is of ${tally.newestAt}, older than ${freshnessDays} days`);
  return gaps;
}

export const coverageOf = (
  control: Judged,
  tally: ControlTally,
  windowEnd: string,
  samples: readonly string[],
): PackCoverage => ({
  framework: control.framework,
  controlId: control.controlId,
  covered: gapsOf(control, tally, windowEnd).length === 0,
  receipts: tally.receipts,
  kinds: tally.kinds,
  newestAt: tally.newestAt,
  samples,
});

export const nameOfControl = (c: { readonly framework: string; readonly controlId: string }): string =>
  `${c.framework}/${c.controlId}`;

type Figures = PackManifest["figures"];

export interface Tally {
  /** Counts a receipt of the window, and names the controls that it is evidence of. */
  add(body: ReceiptBody): readonly PackControl[];
  of(control: PackControl): ControlTally;
  figures(): Figures;
}

export function createTally(controls: readonly PackControl[]): Tally {
  const found = controls.map((control) => ({
    control,
    receipts: 0,
    kinds: new Set<EvidenceKind>(),
    newestAt: null as string | null, // set by the first receipt
  }));
  const figures: { -readonly [K in keyof Figures]: number } = {
    decisions: 0,
    allows: 0,
    denials: 0,
    humanApprovals: 0,
    humanRejections: 0,
    outcomes: 0,
  };
  return {
    add: (body) => {
      count(body, figures);
      const kinds = kindsOf(body);
      const hits: PackControl[] = [];
      for (const entry of found) {
        if (!matchesFilter(body, entry.control.receiptFilters)) continue;
        entry.receipts += 1;
        for (const kind of kinds) entry.kinds.add(kind);
        if (entry.newestAt === null || body.ts > entry.newestAt) entry.newestAt = body.ts;
        hits.push(entry.control);
      }
      return hits;
    },
    of: (control) => {
      const entry = found.find((f) => f.control === control);
      const kinds = evidenceKinds.filter((kind) => entry?.kinds.has(kind));
      return { receipts: entry?.receipts ?? 0, kinds, newestAt: entry?.newestAt ?? null };
    },
    figures: () => figures,
  };
}

function count(body: ReceiptBody, figures: { -readonly [K in keyof Figures]: number }): void {
  const effect = body.decision?.effect;
  if (body.typ === "action.decision") {
    figures.decisions += 1;
    if (effect === "allow") figures.allows += 1;
    if (effect === "deny" || effect === "quarantine") figures.denials += 1;
  }
  if (body.typ === "execution.finished") figures.outcomes += 1;
  if (!isHumanApproval(body)) return;
  if (body.approval?.vote === "approve") figures.humanApprovals += 1;
  else figures.humanRejections += 1;
}
