/**
 * Evidence packs: one archive with the receipts of a time or of an incident, what they are evidence of, and all that is
 * needed to check them without the server. `manifest.jws` signs the manifest, which names every other file by its
 * digest: nothing in a pack can be changed, left out or added.
 */
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "./bytes.ts";
import { canonicalJson } from "./canonical.ts";
import type { ControlFilter, EvidenceKind } from "./control-filter.ts";
import type { Sha256 } from "./crypto.ts";
import { parseJson } from "./disclosure.ts";
import { FormatError } from "./format-error.ts";
import { parseJws } from "./jws.ts";

export const packFormat = "oars-evidence-pack@1";
export const packTyp = "oars-evidence-pack+jws";
export const manifestFile = "manifest.json";
export const signatureFile = "manifest.jws";

export interface PackFile {
  readonly path: string;
  readonly bytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** A control as it was judged, with the rule by which receipts count for it. */
export interface PackControl {
  readonly framework: string;
  readonly controlId: string;
  readonly title: string;
  readonly description: string;
  readonly version: number;
  readonly receiptFilters: ControlFilter;
  readonly requiredNodeTypes: readonly EvidenceKind[];
  /** The newest evidence may be this old at the end of the window; null: any age. */
  readonly freshnessDays: number | null;
  /** So many receipts at least. */
  readonly threshold: number;
}

export type GapReason = "missing_kind" | "below_threshold" | "stale" | "not_mapped";

export interface PackGap {
  readonly framework: string;
  readonly controlId: string;
  readonly reason: GapReason;
  readonly detail: string;
}

/** What the window holds for a control. `kinds` are all that were found. */
export interface PackCoverage {
  readonly framework: string;
  readonly controlId: string;
  readonly covered: boolean;
  readonly receipts: number;
  readonly kinds: readonly EvidenceKind[];
  readonly newestAt: string | null;
  /** Ids of the receipts that were drawn, in the order in which they were. */
  readonly samples: readonly string[];
}

export interface PackManifest {
  readonly format: typeof packFormat;
  readonly packId: string;
  readonly tenantId: string;
  readonly issuer: string;
  readonly log: string;
  readonly kind: "on_demand" | "monthly" | "incident";
  readonly frameworks: readonly string[];
  /** Receipts from `from` up to and without `to` count. */
  readonly window: { readonly from: string; readonly to: string };
  /** What an incident pack is about. */
  readonly subject: { readonly run?: string; readonly action?: string } | null;
  readonly generatedAt: string;
  readonly requestedBy: string;
  /**
   * All leaves [first, end) of a tree of `treeSize`: with `proof` they give the root of `checkpoint`. `inWindow` of them
   * are receipts of the window; of `retired` ones only the leaf is left. Null for an incident: there each has a proof.
   */
  readonly population: {
    readonly mode: "full" | "sample";
    readonly first: number;
    readonly end: number;
    readonly treeSize: number;
    readonly inWindow: number;
    readonly retired: number;
    readonly proof: readonly string[];
  } | null;
  readonly sampling: { readonly seed: string; readonly perControl: number; readonly overall: number };
  /** Receipts outside of any sample rule that have a proof: those of an incident, in the order of the log. */
  readonly samples: readonly string[];
  readonly checkpoint: string;
  /** The pack that was delivered before, and the proof that the log only grew since. */
  readonly previous: {
    readonly packId: string;
    readonly checkpoint: string;
    readonly consistency: readonly string[];
  } | null;
  /** Approvals and rejections are votes of people; what a policy allowed is a decision and none of them. */
  readonly figures: {
    readonly decisions: number;
    readonly allows: number;
    readonly denials: number;
    readonly humanApprovals: number;
    readonly humanRejections: number;
    readonly outcomes: number;
  };
  readonly controls: readonly PackControl[];
  readonly coverage: readonly PackCoverage[];
  readonly gaps: readonly PackGap[];
  readonly files: readonly PackFile[];
}

/** One line of a `receipts/…jsonl`: the receipt, or its leaf hash (base64) where it is retired or was not drawn. */
export interface PackLine {
  readonly index: number;
  readonly jws?: string;
  readonly leaf?: string;
  /** Of the window: the controls that it is evidence of, `framework/control`. Absent outside the window. */
  readonly controls?: readonly string[];
}

/** The bytes to sign, as `header.payload` of a compact JWS. */
export const packInput = (manifest: PackManifest, kid: string): string => {
  const header = toBase64Url(utf8(canonicalJson({ alg: "Ed25519", kid, typ: packTyp })));
  return `${header}.${toBase64Url(utf8(canonicalJson(manifest)))}`;
};

export interface SignedManifest {
  readonly manifest: PackManifest;
  /** The bytes of the manifest as they were signed. */
  readonly payload: Uint8Array;
  readonly kid: string;
  readonly signingInput: Uint8Array;
  readonly signature: Uint8Array;
}

/** Reads a manifest; hostile input. The signature is not checked. Throws FormatError. */
export function parseSignedManifest(text: string): SignedManifest {
  const jws = parseJws(text.trim());
  const { alg, kid, typ, crit } = jws.header;
  if (typ !== packTyp || crit || (alg !== "Ed25519" && alg !== "EdDSA"))
    throw new FormatError("the signature is not that of an evidence pack");
  const payload = fromBase64Url(jws.payload);
  const value = parseJson(fromUtf8(payload), "the manifest");
  if (!isManifest(value)) throw new FormatError(`the manifest is not ${packFormat}`);
  return {
    manifest: value,
    payload,
    kid,
    signingInput: jws.signingInput,
    signature: fromBase64Url(jws.signature),
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** As far as the verifier goes by it before the signature is known. */
function isManifest(value: unknown): value is PackManifest {
  if (!isObject(value) || value.format !== packFormat || !isObject(value.window) || !isObject(value.sampling))
    return false;
  const { files, controls, coverage, gaps, samples, population, tenantId, issuer, log, checkpoint } = value;
  const lists = [files, controls, coverage, gaps, samples].every(Array.isArray);
  const texts = [tenantId, issuer, log, checkpoint].every((t) => typeof t === "string");
  const isPopulation = population === null || (isObject(population) && Array.isArray(population.proof));
  return (
    lists &&
    texts &&
    isPopulation &&
    (files as unknown[]).every((f) => isObject(f) && typeof f.path === "string")
  );
}

/** Where a receipt stands in the draw of a seed: the lowest are taken. 64 hex digits. */
export const drawOf = (seed: string, index: number, sha256: Sha256): string => {
  let text = "";
  for (const byte of sha256(utf8(`${seed}\n${index}`))) text += byte.toString(16).padStart(2, "0");
  return text;
};

export interface Draw<T> {
  add(rank: string, item: T): void;
  /** In the order of the draw. */
  items(): T[];
}

/** The `count` lowest of what is added: constant memory over any population. */
export function createDraw<T>(count: number): Draw<T> {
  const kept: { readonly rank: string; readonly item: T }[] = [];
  return {
    add: (rank, item) => {
      const last = kept.at(-1);
      if (kept.length >= count && (!last || rank >= last.rank)) return;
      const at = kept.findIndex((k) => k.rank > rank);
      kept.splice(at < 0 ? kept.length : at, 0, { rank, item });
      if (kept.length > count) kept.pop();
    },
    items: () => kept.map(({ item }) => item),
  };
}
